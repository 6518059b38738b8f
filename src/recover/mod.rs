//! Recovery: the log redone on the pages, open transactions undone, the databases left clean.
//!
//! Everything happens on copies: [`Pool`] holds the changed pages, [`Attached`] the changed headers. Nothing on
//! disk changes before the whole replay has gone well; `ops::recover` then writes it all, behind an undo file.
//! [log notes 7 to 11]
//!
//! | file | what it does |
//! |---|---|
//! | `ahead` | the next log and its pages, read on another thread |
//! | `page_file` | pages as the databases hold them |
//! | `pool` | pages by number, bounded in memory |
//! | `session` | transactions, open groups, what rolling back needs |
//! | `replay` | one record after the other: which it concerns, whether it is done already |
//! | `node`, `space`, `split`, `merge`, `moves` | the changes themselves |
//! | `attach` | which file is the database that a log names, and whether it fits |
//! | `undo` | rolling back |
//! | `restored` | databases that come from a backup |
//! | `finish` | what the headers say in the end |
//! | `stream` | the log files |
//! | `driver` | all of it in order |

mod ahead;
pub mod attach;
mod attached;
pub mod driver;
pub mod finish;
mod merge;
mod misfit;
mod moves;
mod node;
mod page_file;
mod pool;
mod replay;
pub mod restored;
mod session;
mod space;
mod split;
mod split_lines;
pub mod stream;
mod undo;
mod undo_log;

pub use attached::{Attached, Sight};
pub use page_file::{PageSource, PageState, PageStyle, ReadPage};
pub use pool::{FrameId, Pool, PoolCounts, Slot};
pub use replay::{Counts, Replay};
pub use session::{Change, Group, Session, Version};
pub use undo::UndoStep;
