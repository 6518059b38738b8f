//! Records: the rows of a table as bytes. [format notes chapter 7]
//!
//! ```text
//! +-----------+---------+--------+---------------+-------------+---------------+----------+--------+
//! | last      | last    | end of | fixed columns | null bitmap | end offsets   | variable | tagged |
//! | fixed u8  | var. u8 | fixed  | at their      | of the      | of variable   | columns  | columns|
//! |           |         | u16    | offsets       | fixed       | columns, u16  |          |        |
//! +-----------+---------+--------+---------------+-------------+---------------+----------+--------+
//! ```

pub mod encode;
