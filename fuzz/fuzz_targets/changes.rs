//! Changes of a page against a list of what it should hold, and changes of a record against what its columns should say.
//! What does not fit is refused, and then nothing has changed; what fits is there, and nothing else is another.
#![no_main]

#[path = "shared/input.rs"]
mod input;

use exutil::format::ids::{Objid, PageSize, Pgno};
use exutil::format::page::{CheckScratch, PageBuf, PageFlags};
use exutil::format::record::{
    CatalogLimits, ColumnChange, ColumnShape, Field, Record, RecordLayout, RecordShape,
    with_columns,
};
use exutil::format::schema::{Fid, FidKind};
use input::Input;
use libfuzzer_sys::fuzz_target;

impl Input<'_> {
    /// Up to 255 bytes, or up to 4080 of which all are the same.
    fn bytes(&mut self) -> Vec<u8> {
        let len = usize::from(self.byte());
        if len % 4 == 3 {
            return vec![self.byte(); len * 16];
        }
        (0..len).map(|_| self.byte()).collect()
    }
}

/// Rest of the key, data, flags.
type Line = (Vec<u8>, Vec<u8>, u8);

fn page(input: &mut Input<'_>) {
    let size = PageSize::ALL[usize::from(input.byte()) % PageSize::ALL.len()];
    let flags = PageFlags::new(if input.byte() % 2 == 0 { 0x802 } else { 0x2802 });
    let mut page = PageBuf::new(size, Pgno::new(5), Objid::new(7), flags);
    let mut lines: Vec<Line> = Vec::new();
    let mut header = Vec::new();
    let mut scratch = CheckScratch::default();
    for _ in 0..200 {
        if input.0.is_empty() {
            return;
        }
        let what = input.byte();
        let at = usize::from(input.byte()) % (lines.len() + 1);
        match what % 8 {
            0..4 => {
                let line = (input.bytes(), input.bytes(), what >> 6 & 3);
                if page.insert_node(at, 0, &line.0, &line.1, line.2).is_ok() {
                    lines.insert(at, line);
                }
            }
            4 => {
                page.remove_node(at);
                if at < lines.len() {
                    lines.remove(at);
                }
            }
            5 | 6 => {
                let line = (input.bytes(), input.bytes(), what >> 6 & 3);
                if page.replace_node(at, 0, &line.0, &line.1, line.2).is_ok() {
                    lines[at] = line;
                }
            }
            _ => {
                let bytes = input.bytes();
                if page.set_external_header(&bytes).is_ok() {
                    header = bytes;
                }
            }
        }
        let view = page.view();
        view.check_frame(&mut scratch).unwrap();
        assert_eq!(view.external_header(), header);
        assert_eq!(view.node_count(), lines.len());
        for (node, line) in view.nodes().zip(&lines) {
            let node = node.unwrap();
            assert_eq!((node.suffix, node.data), (&line.0[..], &line.1[..]));
        }
    }
}

/// Four fixed columns, four variable, and six tagged, of which two are of the template.
fn shape() -> RecordShape {
    let column = |fid, derived, size, offset| ColumnShape {
        fid: Fid::new(fid),
        derived,
        long: fid % 2 == 0,
        size,
        longest: 300,
        offset,
        pad: 0,
        default: (fid % 3 == 0).then(|| vec![7; size.unwrap_or(5)]),
        has_default: fid % 3 == 0,
        not_null: false,
        encrypted: false,
    };
    let fixed = [(1, 4, 4), (2, 2, 8), (3, 1, 10), (4, 8, 11)];
    let fixed = fixed.map(|(fid, size, at)| column(fid, false, Some(size), at));
    let variable = [128, 129, 130, 131].map(|fid| column(fid, false, None, 0));
    let tagged = [256, 257, 258, 259].map(|fid| column(fid, false, None, 0));
    let derived = [256, 300].map(|fid| column(fid, true, None, 0));
    let columns = fixed.into_iter().chain(variable).chain(tagged);
    RecordShape::new(columns.chain(derived).collect(), 8000)
}

/// All columns of the shape, by id and whether they are of the template.
const COLUMNS: [(u16, bool); 14] = [
    (1, false),
    (2, false),
    (3, false),
    (4, false),
    (128, false),
    (129, false),
    (130, false),
    (131, false),
    (256, false),
    (257, false),
    (258, false),
    (259, false),
    (256, true),
    (300, true),
];

/// What a record says of a column: `None` where its default speaks, or it cannot be told.
fn says(record: &Record<'_>, shape: &RecordShape, column: (u16, bool)) -> Option<Vec<Vec<u8>>> {
    let fid = Fid::new(column.0);
    let of = shape.column(fid, column.1)?;
    let field = match fid.kind() {
        FidKind::Fixed => record.fixed(fid, of.offset, of.size?).ok()?,
        FidKind::Variable => record.variable(fid).ok()?,
        FidKind::Tagged => {
            let tagged = record.find_tagged(fid, column.1).ok()??;
            return tagged.values().map(|value| value.unpacked()).collect();
        }
    };
    match field {
        Field::Absent => None,
        Field::Null => Some(Vec::new()),
        Field::Value(bytes) => Some(vec![bytes.to_vec()]),
    }
}

fn record(input: &mut Input<'_>) {
    let how = input.byte();
    let layout = RecordLayout::new(how & 1 != 0, how & 2 != 0);
    let shape = shape();
    // Nothing but its header, or what the input has.
    let mut data = match how & 4 {
        0 => vec![0, 127, 4, 0],
        _ => input.bytes(),
    };
    for _ in 0..32 {
        if input.0.is_empty() {
            return;
        }
        let changes: Vec<ColumnChange> = (0..input.byte() % 4)
            .map(|_| {
                let (fid, derived) = COLUMNS[usize::from(input.byte()) % COLUMNS.len()];
                let fid = Fid::new(fid);
                let size = shape.column(fid, derived).and_then(|column| column.size);
                let values = (0..input.byte() % 3).map(|_| {
                    let mut value = input.bytes();
                    value.resize(size.unwrap_or(value.len()), 0);
                    value
                });
                ColumnChange {
                    fid,
                    derived,
                    values: values.collect(),
                }
            })
            .collect();
        let before = Record::with_layout(&data, layout);
        let sound = before.is_ok_and(|record| record.check(CatalogLimits::ANY).is_ok());
        let mut out = vec![9];
        if with_columns(&data, layout, &shape, &changes, &mut out).is_err() {
            assert_eq!(out, [9]);
            continue;
        }
        let new = &out[1..];
        if !sound {
            return;
        }
        let old = Record::with_layout(&data, layout).unwrap();
        let record = Record::with_layout(new, layout).unwrap();
        record.check(CatalogLimits::ANY).unwrap();
        for column in COLUMNS {
            let is_it = |change: &&ColumnChange| (change.fid.get(), change.derived) == column;
            let now = says(&record, &shape, column);
            match changes.iter().rfind(is_it) {
                Some(change) => assert_eq!(now.unwrap_or_default(), change.values, "{column:?}"),
                None => {
                    // A column that had to be passed over says now what only its default said.
                    if let Some(before) = says(&old, &shape, column) {
                        assert_eq!(now, Some(before), "{column:?}");
                    }
                }
            }
        }
        data = new.to_vec();
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    match input.byte() % 2 {
        0 => page(&mut input),
        _ => record(&mut input),
    }
});
