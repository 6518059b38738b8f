//! Sort keys learned from one half of an index's entries, asked for with the other: on the Unicode indexes of real databases.
//! The files are not part of the project: `EXUTIL_CORPUS` names the directory.

#[path = "common/needs.rs"]
#[allow(dead_code, reason = "other tests need other things")]
mod needs;

use std::path::Path;

use exutil::db::catalog::{Index, Schema, Table};
use exutil::db::{Database, PageBytes};
use exutil::format::keys::{
    IndexRules, IndexSegment, KeyEnd, KeyLimits, LearnedSortKeys, RowValues, SegmentType, SortOrder,
};
use exutil::format::record::{Field, Record, RecordLayout};
use exutil::format::schema::{Fid, FidKind, index_flags};
use exutil::format::value::CodePage;
use exutil::tree::walk::{for_each_node, seek};

/// Values of the columns of one index, by their place in it.
struct Values(Vec<Vec<Vec<u8>>>);

impl RowValues for Values {
    fn value(&self, slot: Fid, instance: usize) -> Option<&[u8]> {
        let values = self.0.get(usize::from(slot.get()))?;
        values.get(instance).map(Vec::as_slice)
    }

    fn count(&self, slot: Fid) -> usize {
        self.0.get(usize::from(slot.get())).map_or(0, Vec::len)
    }
}

/// The rules of an index that has a Unicode segment; columns are numbered by their place.
fn rules(schema: &Schema, table: &Table, index: &Index) -> Option<IndexRules> {
    let mut unicode = false;
    let mut segments = Vec::new();
    for (at, segment) in index.segments.iter().enumerate() {
        let column = schema.column(table, segment.fid, segment.template)?;
        let text = column.coltyp.is_text() && column.text_page() == CodePage::Unicode;
        unicode |= text;
        segments.push(IndexSegment {
            fid: Fid::new(at as u16),
            kind: SegmentType {
                coltyp: column.coltyp,
                unicode: text,
                fixed: column.fid.kind() == FidKind::Fixed,
                descending: segment.descending,
                nulls_high: index.flags & index_flags::SORT_NULLS_HIGH != 0,
                dotnet_guid: index.flags & index_flags::DOTNET_GUID != 0,
            },
            multi_valued: column.is_multi_valued(),
        });
    }
    unicode.then(|| IndexRules {
        segments,
        conditions: Vec::new(),
        flags: index.flags,
        limits: KeyLimits {
            key_most: index.key_most.into(),
            var_seg_mac: index.var_seg_mac.into(),
        },
        tuples: None,
    })
}

/// The row that an entry leads to, as its index sees it; `None` when a value lies elsewhere.
fn row(
    db: &Database,
    schema: &Schema,
    table: &Table,
    index: &Index,
    bookmark: &[u8],
) -> Option<Values> {
    let mut bytes = PageBytes::new(db.page_size());
    let (_, page) = seek(db, table.root, bookmark, &mut bytes).ok()?;
    let node = page.node(page.lower_bound(bookmark)).ok()?;
    assert!(node.cmp_key_to(bookmark).is_eq(), "an entry without a row");
    let record = Record::with_layout(node.data, RecordLayout::of_page(page)).ok()?;
    let mut values = Vec::new();
    for segment in &index.segments {
        let column = schema.column(table, segment.fid, segment.template)?;
        let one = |field| match field {
            Field::Value(bytes) => vec![<[u8]>::to_vec(bytes)],
            _ => column.default.clone().into_iter().collect(),
        };
        values.push(match column.fid.kind() {
            FidKind::Fixed => {
                let size = column.coltyp.fixed_size();
                let size = size.unwrap_or(column.max_len as usize);
                let offset = column.record_offset.into();
                one(record.fixed(column.fid, offset, size).ok()?)
            }
            FidKind::Variable => one(record.variable(column.fid).ok()?),
            FidKind::Tagged => {
                let derived = segment.template && table.template.is_some();
                match record.find_tagged(column.fid, derived).ok()? {
                    Some(tagged) => tagged
                        .values()
                        .map(|value| value.unpacked())
                        .collect::<Option<_>>()?,
                    None => column.default.clone().into_iter().collect(),
                }
            }
        });
    }
    Some(Values(values))
}

#[derive(Debug, Default)]
struct Counts {
    learned: usize,
    not_learned: usize,
    right: usize,
    unknown: usize,
    wrong: usize,
}

/// Learns from every entry for which `learns` is true, and asks for the others.
fn measure(
    db: &Database,
    schema: &Schema,
    table: &Table,
    index: &Index,
    learns: fn(usize) -> bool,
) -> Option<Counts> {
    let rules = rules(schema, table, index)?;
    let mut entries = Vec::new();
    for_each_node(
        db,
        index.root,
        |_, _, node| entries.push((node.key().to_vec(), node.data.to_vec())),
        |page, failure| panic!("{page}: {failure}"),
    );
    let order = SortOrder {
        lcid: index.lcid,
        locale: index.locale.as_deref(),
        map_flags: index.map_flags,
    };
    let mut keys = LearnedSortKeys::new(order, 1 << 24);
    let mut counts = Counts::default();
    let mut asked = Vec::new();
    for (number, (key, bookmark)) in entries.into_iter().enumerate() {
        let Some(row) = row(db, schema, table, index, &bookmark) else {
            continue;
        };
        if !learns(number) {
            asked.push((key, row));
        } else if keys.learn_from_entry(&rules, &row, &key) {
            counts.learned += 1;
        } else {
            counts.not_learned += 1;
        }
    }
    keys.settle();
    for (key, row) in asked {
        let mut made = Vec::new();
        let mut unknown = false;
        rules
            .keys(&row, &keys, &mut Vec::new(), |key, end| {
                unknown |= end == KeyEnd::Unknown;
                made.push(key.to_vec());
            })
            .unwrap();
        if unknown {
            counts.unknown += 1;
        } else if made.contains(&key) {
            counts.right += 1;
        } else {
            counts.wrong += 1;
        }
    }
    Some(counts)
}

/// Measures all Unicode indexes of a database; the share of entries that were known, in percent.
fn share(path: &Path) -> usize {
    let db = Database::open(path, None).unwrap();
    let schema = Schema::read(&db);
    let (mut right, mut all, mut few) = (0, 0, 0);
    for table in schema.tables.values() {
        for index in table.secondary_indexes() {
            let Some(counts) = measure(&db, &schema, table, index, |number| number % 2 == 0) else {
                continue;
            };
            let entries = counts.right + counts.unknown + counts.wrong;
            if entries > 0 {
                println!("{} {}: {counts:?}", table.name, index.name);
            }
            assert_eq!(counts.wrong, 0, "{} {}", table.name, index.name);
            right += counts.right;
            all += entries;
            // A few entries tell much, but never anything wrong.
            let sparse = measure(&db, &schema, table, index, |number| number % 41 == 3).unwrap();
            assert_eq!(sparse.wrong, 0, "{} {}", table.name, index.name);
            few += sparse.right;
        }
    }
    println!(
        "{}: {right} of {all}; from every 41st entry {few}",
        path.display()
    );
    right * 100 / all.max(1)
}

#[test]
fn half_of_an_index_tells_the_other_half() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let share = |file: &str| share(&corpus.join("real").join(file));
    assert!(share("ntds-2012r2/pre/ntds.dit") >= 95);
    assert!(share("adamntds-2008/pre/adamntds.dit") >= 95);
    assert!(share("goese-ual/pre/Current.mdb") >= 80);
    share("dissect-index/pre/index.edb");
}
