//! How a life begins: a database that was built, one that the live writer works on, or a store.

use std::io::Cursor;

use exutil::build::logs::LogFormat;
use exutil::build::{DatabaseBuilder, Options, Row, Table};
use exutil::format::ids::PageSize;

use super::engine::{Run, Shape};
use super::kinds::Kind;
use super::samples::{self, Noise};
use super::schema;
use super::stores::{StoreKind, defects};

/// Updates of newer engines, and the first with long value ids of 8 bytes.
const NEWER: [u32; 12] = [20, 30, 60, 70, 80, 100, 130, 160, 200, 230, 270, 290];
const LID64_SINCE: u32 = 70;
/// Versions of new logs.
const NEW_LOGS: [(u32, u32); 4] = [(2, 2), (4, 4), (5, 16), (130, 280)];

fn pick<T: Copy>(from: &[T], noise: &mut Noise) -> T {
    from[noise.below(from.len() as u64) as usize]
}

/// A kind of database and log; each update with the logs of its time.
pub fn kind(noise: &mut Noise) -> Kind {
    let small = [PageSize::K2, PageSize::K4, PageSize::K8];
    if noise.below(2) == 0 {
        let (major, version) = pick(
            &[
                (9, 6),
                (0xC, 7),
                (0xC, 9),
                (0x11, 10),
                (0x11, 11),
                (20, 12),
                (20, 15),
                (20, 17),
            ],
            noise,
        );
        let large = major >= 0x11 && noise.below(3) == 0;
        return Kind {
            page_size: if large {
                pick(&[PageSize::K16, PageSize::K32], noise)
            } else {
                pick(&small, noise)
            },
            major,
            format: LogFormat::Ranges {
                sector: pick(&[512, 4096], noise),
            },
            version: (version, 0),
            digits: pick(&[5, 8], noise),
        };
    }
    let major = pick(&NEWER, noise);
    let sizes = if major == 20 {
        &PageSize::ALL[..]
    } else {
        &PageSize::ALL[1..]
    };
    Kind {
        page_size: pick(sizes, noise),
        major,
        format: LogFormat::Segments,
        version: pick(&NEW_LOGS, noise),
        digits: pick(&[5, 8], noise),
    }
}

/// A database as it was built.
pub fn built(noise: &mut Noise) -> (Vec<u8>, String) {
    let (page_size, major) = match noise.below(2) {
        0 => {
            let formats: Vec<_> = samples::formats().collect();
            pick(&formats, noise)
        }
        _ => {
            let kind = kind(noise);
            (kind.page_size, kind.major)
        }
    };
    let mut options: Options = samples::options(page_size, major, noise.next() as u32).unwrap();
    options.spare_pages = pick(&[0, 0, 7, 100], noise);
    options.lid64 = major >= LID64_SINCE && noise.below(2) == 0;
    let mut builder = DatabaseBuilder::new(Cursor::new(Vec::new()), options).unwrap();
    let tables = schema::tables(noise);
    let told = format!("built: {page_size} {major}, {}", words(&tables));
    add(&mut builder, tables);
    let bytes = builder.finish().unwrap().0.into_inner();
    (bytes, told)
}

/// A database that the live writer has just opened, with tables that it will not touch.
pub fn engine(noise: &mut Noise) -> (Run, String) {
    let kind = kind(noise);
    let shape = Shape {
        extents: [pick(&[5, 32, 33, 150], noise), pick(&[1, 5, 40], noise)],
        spare: 600,
        log_bytes: pick(&[24, 48, 200], noise) << 10,
    };
    let tables = schema::tables(noise);
    let told = format!("{kind:?} {shape:?}, {}", words(&tables));
    let run = Run::with(kind, noise.next(), shape, |builder| add(builder, tables));
    (run, told)
}

/// A store, mostly with something wrong in it.
pub fn store(noise: &mut Noise) -> (Vec<u8>, String) {
    let kind = pick(&StoreKind::ALL, noise);
    let mut store = kind.store();
    let defects: Vec<_> = defects::all()
        .filter(|defect| defect.store == kind)
        .collect();
    // One, for they do not all go together.
    let defect = (noise.below(4) != 0).then(|| pick(&defects, noise));
    if let Some(defect) = defect {
        defect.apply_to(&mut store);
    }
    let told = format!("{kind:?} store, {:?}", defect.map(|defect| defect.name));
    (store.build().unwrap(), told)
}

fn add(builder: &mut DatabaseBuilder<Cursor<Vec<u8>>>, tables: Vec<(Table, Vec<Row>)>) {
    for (table, rows) in tables {
        builder.add_table(table, rows).unwrap();
    }
}

fn words(tables: &[(Table, Vec<Row>)]) -> String {
    let all = tables.iter().map(|(table, rows)| {
        let (columns, indexes) = (table.columns.len(), table.indexes.len());
        format!("{}x{columns}/{indexes}", rows.len())
    });
    format!("tables {}", all.collect::<Vec<_>>().join(" "))
}
