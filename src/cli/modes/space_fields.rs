//! The columns of a space dump: names, widths and what stands in them. The names are Eseutil's,
//! because `/f` takes them. [engine]

use crate::ops::space_dump::{
    CountPages, ObjectKind, PooledExtent, SpaceHints, SpaceNumbers, SpaceObject, SpacePool,
    TreePages,
};

use crate::db::space::Pool;

/// Heading of a column of five figures and a sum.
const SPREAD: &str = "   Count,  Min,  Ave, StdDev,  Max,       Total";
const SPREAD_WIDTH: usize = 48;

/// What a column needs to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// The catalog and the space trees.
    Space,
    /// The internal pages of the trees.
    Pages,
    /// All pages, or a figure that this program does not have: the column stays empty.
    Walk,
}

/// What a cell is made from.
pub(super) struct Cell<'a> {
    /// The object.
    pub object: &'a SpaceObject,
    /// Pages of the database.
    pub database: u64,
    /// Pages of the table that was shown last.
    pub table: u64,
    /// Bytes of a page.
    pub page: u64,
}

/// A column.
#[derive(Clone, Copy)]
pub(super) struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its width.
    pub width: usize,
    /// Headings of its parts, separated by commas.
    pub parts: &'static str,
    need: Need,
    show: fn(&Cell<'_>, usize) -> Option<String>,
}

const fn field(
    name: &'static str,
    width: usize,
    show: fn(&Cell<'_>, usize) -> Option<String>,
) -> Field {
    Field {
        name,
        width,
        parts: "",
        need: Need::Space,
        show,
    }
}

const fn paged(
    name: &'static str,
    width: usize,
    show: fn(&Cell<'_>, usize) -> Option<String>,
) -> Field {
    Field {
        need: Need::Pages,
        ..field(name, width, show)
    }
}

const fn spread(name: &'static str, show: fn(&Cell<'_>, usize) -> Option<String>) -> Field {
    Field {
        parts: SPREAD,
        ..field(name, SPREAD_WIDTH, show)
    }
}

const fn unknown(name: &'static str, width: usize) -> Field {
    Field {
        need: Need::Walk,
        ..field(name, width, |_, _| None)
    }
}

/// Every column, in the order of `/f#all`.
const FIELDS: &[Field] = &[
    field("FullName", 77, |cell, width| Some(name(cell, width))),
    field("OwningTableName", 68, |cell, width| {
        let table = cell.object.table.as_deref().unwrap_or("DbRoot");
        Some(format!("{table:<width$.width$}"))
    }),
    field("Type", 4, |cell, _| Some(kind(cell.object.kind).to_owned())),
    field("ObjidFDP", 10, |cell, width| {
        Some(format!("{:width$}", cell.object.objid.get()))
    }),
    field("PgnoFDP", 10, |cell, width| {
        Some(format!("{:width$}", cell.object.root.get()))
    }),
    field("PriExt", 7, |cell, _| {
        let space = space(cell)?;
        Some(format!(
            "{:5}-{}",
            space.primary,
            if space.multiple { 'm' } else { 's' }
        ))
    }),
    field("PriExtType", 10, |cell, width| {
        let words = if space(cell)?.multiple {
            "multi"
        } else {
            "single"
        };
        Some(format!("{words:>width$}"))
    }),
    field("PriExtCpg", 9, |cell, width| {
        let root = cell.object.root;
        let mut extents = space(cell)?.owned_extents.iter();
        let first = extents.find(|extent| extent.first() == root);
        Some(format!("{:width$}", first.map_or(0, |extent| extent.count)))
    }),
    field("PgnoOE", 10, |cell, width| {
        Some(format!("{:width$}", space(cell)?.owned_root.get()))
    }),
    field("PgnoAE", 10, |cell, width| {
        Some(format!("{:width$}", space(cell)?.available_root.get()))
    }),
    field("OwnPgnoMin", 10, |cell, width| {
        Some(format!("{:width$}", space(cell)?.first_owned().get()))
    }),
    field("OwnPgnoMax", 10, |cell, width| {
        Some(format!("{:width$}", space(cell)?.last_owned().get()))
    }),
    field("OwnedExts", 10, |cell, width| {
        Some(format!("{:width$}", space(cell)?.owned_extents.len()))
    }),
    field("Owned", 10, |cell, width| {
        Some(format!("{:width$}", space(cell)?.owned))
    }),
    unknown("Owned(Cache)", 12),
    field("Owned(MB)", 12, |cell, width| {
        Some(megabytes(cell, space(cell)?.owned, width))
    }),
    field("O%OfDb", 9, |cell, width| {
        Some(percent(space(cell)?.owned, cell.database, width))
    }),
    field("O%OfTable", 9, |cell, width| {
        of_table(cell, space(cell)?.owned, width)
    }),
    paged("Data", 10, |cell, width| {
        Some(format!("{:width$}", pages(cell)?.data))
    }),
    paged("Data(MB)", 12, |cell, width| {
        Some(megabytes(cell, pages(cell)?.data, width))
    }),
    paged("D%OfDb", 9, |cell, width| {
        Some(percent(pages(cell)?.data, cell.database, width))
    }),
    field("AvailExts", 10, |cell, width| {
        Some(format!("{:width$}", space(cell)?.available_extents.len()))
    }),
    field("Available", 10, |cell, width| {
        Some(format!("{:width$}", space(cell)?.available))
    }),
    unknown("Avail(Cache)", 12),
    field("Avail(MB)", 12, |cell, width| {
        Some(megabytes(cell, space(cell)?.available, width))
    }),
    field("Avail%Tbl", 9, |cell, width| {
        of_table(cell, space(cell)?.available, width)
    }),
    field("SPBuffers", 10, |cell, width| {
        Some(format!("{:width$}", space(cell)?.split_buffers))
    }),
    field("SPBuf(MB)", 12, |cell, width| {
        Some(megabytes(cell, space(cell)?.split_buffers, width))
    }),
    field("SPBuf%Tbl", 9, |cell, width| {
        of_table(cell, space(cell)?.split_buffers, width)
    }),
    field("SpcReserve", 10, |cell, width| {
        Some(format!("{:width$}", space(cell)?.split_buffers))
    }),
    field("AutoInc", 10, |cell, width| {
        let table = cell.object.kind == ObjectKind::Table;
        let number = space(cell)?.auto_increment.filter(|_| table)?;
        Some(format!("{:width$}", number as i64))
    }),
    field("Reserved", 10, |cell, width| {
        Some(format!("{:width$}", space(cell)?.reserved))
    }),
    field("Reser(MB)", 12, |cell, width| {
        Some(megabytes(cell, space(cell)?.reserved, width))
    }),
    field("Reser%Tbl", 9, |cell, width| {
        of_table(cell, space(cell)?.reserved, width)
    }),
    spread("OwnExt", |cell, _| {
        let extents = space(cell)?.owned_extents.iter();
        Some(figures(extents.map(|extent| extent.count.into())))
    }),
    spread("GenAvailExt", |cell, _| {
        Some(figures(available(space(cell)?, &|pool| {
            matches!(pool, SpacePool::Primary | SpacePool::Entry(Pool::General))
        })))
    }),
    spread("ContigAvailExt", |cell, _| {
        Some(figures(available(space(cell)?, &|pool| {
            pool == SpacePool::Entry(Pool::Continuous)
        })))
    }),
    paged("Empty", 5, |cell, _| {
        let words = if pages(cell)?.empty { " yes " } else { "  no " };
        Some(words.to_owned())
    }),
    paged("Internal", 10, |cell, width| {
        Some(format!("{:width$}", pages(cell)?.internal))
    }),
    paged("Internal(MB)", 12, |cell, width| {
        Some(megabytes(cell, pages(cell)?.internal, width))
    }),
    paged("Depth", 5, |cell, width| {
        Some(format!("{:width$}", pages(cell)?.depth))
    }),
    unknown("IORuns", 6),
    unknown("IORuns(histo)", 120),
    unknown("FwdScans", 8),
    unknown("Int:FreeBytes", SPREAD_WIDTH),
    unknown("Int:Nodes", SPREAD_WIDTH),
    unknown("Int:Nodes(histo)", 152),
    unknown("Int:KeySizes", SPREAD_WIDTH),
    unknown("Int:KeyComp", SPREAD_WIDTH),
    unknown("Data:FreeBytes", SPREAD_WIDTH),
    unknown("Data:Nodes", SPREAD_WIDTH),
    unknown("Data:Nodes(histo)", 152),
    unknown("Node%Tbl", 9),
    unknown("Data:KeySizes", SPREAD_WIDTH),
    unknown("Data:DataSizes", SPREAD_WIDTH),
    unknown("Data:KeyComp", SPREAD_WIDTH),
    unknown("Data:ReservedTags", SPREAD_WIDTH),
    unknown("Data:Unreclaim", SPREAD_WIDTH),
    unknown("VersndNode", 10),
    unknown("cLVRefs", 12),
    unknown("cCorrLVs", 12),
    unknown("cSepRtChk", 12),
    unknown("cPartDelLVs", 12),
    unknown("lidMax", 12),
    unknown("LV:ChunkSize", 12),
    unknown("LV:Size", 14),
    unknown("LV:Size(histo)", 120),
    unknown("LV:Comp", 12),
    unknown("LV:Comp(histo)", 120),
    unknown("LV:Ratio(histo)", 120),
    unknown("LV:Seeks", 12),
    unknown("LV:Seeks(histo)", 120),
    unknown("LV:Bytes", 12),
    unknown("LV:Bytes(histo)", 120),
    unknown("LV:ExtraSeeks", 13),
    unknown("LV:ExtraSeeks(histo)", 120),
    unknown("LV:ExtraBytes", 13),
    unknown("LV:ExtraBytes(histo)", 120),
    field("SH:IDensity", 11, |cell, width| {
        hint_percent(cell, width, |hints| hints.initial_density)
    }),
    field("SH:ISize(KB)", 12, |cell, width| {
        hint(cell, width, |hints| hints.initial_bytes / 1024)
    }),
    field("SH:grbit", 9, |cell, width| {
        let flags = format!("{:#x}", cell.object.hints?.flags);
        Some(format!("{flags:>width$}"))
    }),
    field("SH:MDensity", 11, |cell, width| {
        hint_percent(cell, width, |hints| hints.maintenance_density)
    }),
    field("SH:Growth", 9, |cell, width| {
        hint_percent(cell, width, |hints| hints.growth)
    }),
    field("SH:MinExt(KB)", 13, |cell, width| {
        hint(cell, width, |hints| hints.min_extent / 1024)
    }),
    field("SH:MaxExt(KB)", 13, |cell, width| {
        hint(cell, width, |hints| hints.max_extent / 1024)
    }),
    field("Name", 23, |cell, width| Some(name(cell, width))),
];

/// Named sets of columns, and whether they show small objects, space trees, and pages lost.
struct Set {
    name: &'static str,
    fields: &'static str,
    small: bool,
    leaks: bool,
}

const SETS: &[Set] = &[
    Set {
        name: "#default",
        fields: "Name,Type,Owned(MB),O%OfDb,O%OfTable,Avail(MB),Avail%Tbl,AutoInc",
        small: false,
        leaks: false,
    },
    Set {
        name: "#legacy",
        fields: "Name,Type,ObjidFDP,PgnoFDP,PriExt,Owned,Available",
        small: true,
        leaks: false,
    },
    Set {
        name: "#leaked",
        fields: "Name,Type,ObjidFDP,PriExt,PgnoFDP,Owned,Available,Internal,Data",
        small: true,
        leaks: true,
    },
    Set {
        name: "#spacehints",
        fields: "Name,Type,SH:IDensity,SH:ISize(KB),SH:grbit,SH:MDensity,SH:Growth,\
            SH:MinExt(KB),SH:MaxExt(KB)",
        small: false,
        leaks: false,
    },
    Set {
        name: "#lvs",
        fields: "FullName,Type,LV:Size,LV:Size(histo),LV:Comp,LV:Comp(histo),LV:Ratio(histo),\
            LV:Seeks,LV:Seeks(histo),LV:ExtraSeeks,LV:ExtraSeeks(histo),LV:Bytes,LV:Bytes(histo),\
            LV:ExtraBytes,LV:ExtraBytes(histo),Data:FreeBytes,Data:Nodes,Data:KeySizes,\
            Data:DataSizes,Data:Unreclaim,VersndNode,cLVRefs,cCorrLVs,cSepRtChk,lidMax,\
            LV:ChunkSize,OwnExt,GenAvailExt",
        small: false,
        leaks: false,
    },
];

/// The columns asked for.
pub(super) struct Columns {
    /// In their order.
    pub fields: Vec<Field>,
    /// Objects below the threshold too.
    pub small: bool,
    /// Space trees and pages lost.
    pub leaks: bool,
}

impl Columns {
    /// Reads what `/f` says; nothing means the default set. The error is a name that is none.
    pub fn parse(spec: &str) -> Result<Self, String> {
        if spec.eq_ignore_ascii_case("#all") {
            return Ok(Self {
                fields: FIELDS.to_vec(),
                small: false,
                leaks: false,
            });
        }
        let set = SETS.iter().find(|set| set.name.eq_ignore_ascii_case(spec));
        let default = &SETS[0];
        let (names, small, leaks) = match set {
            Some(set) => (set.fields, set.small, set.leaks),
            None if spec.is_empty() => (default.fields, default.small, default.leaks),
            None => (spec, false, false),
        };
        let names = names.split(',').filter(|name| !name.is_empty());
        let fields = names
            .map(|name| {
                let mut fields = FIELDS.iter();
                fields
                    .find(|field| field.name.eq_ignore_ascii_case(name))
                    .copied()
                    .ok_or_else(|| name.to_owned())
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            fields,
            small,
            leaks,
        })
    }

    /// What the engine would read for these columns.
    pub fn count(&self) -> CountPages {
        let needs = self.fields.iter().map(|field| field.need);
        if self.leaks || needs.max() >= Some(Need::Pages) {
            CountPages::Strictly
        } else {
            CountPages::No
        }
    }
}

impl Field {
    /// The cell, blanks where there is nothing to show.
    pub fn cell(&self, cell: &Cell<'_>, separator: char) -> String {
        (self.show)(cell, self.width).unwrap_or_else(|| {
            let parts = self.parts.matches(',').count();
            let blanks = " ".repeat(self.width - parts);
            blanks + &separator.to_string().repeat(parts)
        })
    }

    /// True for the columns that hold the object's name.
    pub fn is_name(&self) -> bool {
        matches!(self.name, "Name" | "FullName")
    }
}

fn space<'a>(cell: &Cell<'a>) -> Option<&'a SpaceNumbers> {
    cell.object.space.as_ref()
}

fn pages(cell: &Cell<'_>) -> Option<TreePages> {
    cell.object.pages
}

fn name(cell: &Cell<'_>, width: usize) -> String {
    let indent = usize::from(cell.object.level) * 2;
    let width = width.saturating_sub(indent);
    let mut name = cell.object.name.clone();
    if cell.object.deleted {
        name.push_str("[Deleted]");
    }
    format!("{:indent$}{name:<width$.width$}", "")
}

/// Four characters, the first a blank, as Eseutil has them.
const fn kind(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Database => " Db ",
        ObjectKind::Table => " Pri",
        ObjectKind::LongValues => " LV ",
        ObjectKind::Index => " Idx",
        ObjectKind::OwnedExtents => " OE ",
        ObjectKind::AvailableExtents => " AE ",
    }
}

/// Megabytes with three digits that are thousandths, cut off and then rounded up whenever anything
/// is left: the engine's own arithmetic. [engine, verified]
fn megabytes(cell: &Cell<'_>, pages: u64, width: usize) -> String {
    let kib = pages.saturating_mul(cell.page) / 1024;
    let rest = kib % 1024;
    let thousandths = rest * 1000 / 1024 + u64::from(rest * 10_000 / 1024 >= 5);
    let width = width - 4;
    format!("{:width$}.{thousandths:03}", kib / 1024)
}

fn percent(part: u64, whole: u64, width: usize) -> String {
    let width = width - 1;
    let percent = rounded(part as f64 / whole as f64 * 100.0, 2);
    format!("{percent:>width$}%")
}

/// A number with so many decimals, halves rounded up: the C library of Windows rounds the decimal
/// digits, Rust and others round halves to even. [verified: 3.125 is 3.13]
pub(super) fn rounded(value: f64, decimals: usize) -> String {
    /// Enough to write any percentage out in full.
    const ALL: usize = 60;
    let plain = format!("{value:.decimals$}");
    let full = format!("{value:.ALL$}");
    let Some((_, fraction)) = full.split_once('.') else {
        return plain;
    };
    let rest = &fraction[decimals..];
    let half = rest.starts_with('5') && rest[1..].bytes().all(|digit| digit == b'0');
    if half && value > 0.0 {
        // The next number that is larger rounds up.
        format!("{:.decimals$}", value.next_up())
    } else {
        plain
    }
}

fn of_table(cell: &Cell<'_>, part: u64, width: usize) -> Option<String> {
    let shown = cell.object.kind != ObjectKind::Database && cell.table > 0;
    shown.then(|| percent(part, cell.table, width))
}

fn hint(cell: &Cell<'_>, width: usize, get: fn(&SpaceHints) -> u32) -> Option<String> {
    let hints = cell.object.hints?;
    Some(format!("{:width$}", get(&hints)))
}

fn hint_percent(cell: &Cell<'_>, width: usize, get: fn(&SpaceHints) -> u32) -> Option<String> {
    Some(hint(cell, width - 1, get)? + "%")
}

fn available<'a>(
    space: &'a SpaceNumbers,
    pool: &'a dyn Fn(SpacePool) -> bool,
) -> impl Iterator<Item = u64> + 'a {
    let counted = move |run: &&PooledExtent| pool(run.pool) && run.extent.count > 0;
    let runs = space.available_extents.iter().filter(counted);
    runs.map(|run| run.extent.count.into())
}

/// Count, least, average, standard deviation, most, total.
fn figures(samples: impl Iterator<Item = u64>) -> String {
    let samples: Vec<u64> = samples.collect();
    let (Some(least), Some(most)) = (samples.iter().min(), samples.iter().max()) else {
        return "       0,     ,     ,       ,     ,            ".to_owned();
    };
    let count = samples.len() as f64;
    let total: u64 = samples.iter().sum();
    let average = total as f64 / count;
    let spread = samples
        .iter()
        .map(|sample| (*sample as f64 - average).powi(2));
    let deviation = (spread.sum::<f64>() / count).sqrt();
    format!(
        "{:8},{least:5},{average:5.0},{deviation:7.0},{most:5},{total:12}",
        samples.len()
    )
}

#[cfg(test)]
mod tests {
    use super::{Columns, CountPages, figures, rounded};

    #[test]
    fn halves_are_rounded_up() {
        assert_eq!(rounded(3.125, 2), "3.13");
        assert_eq!(rounded(81.25, 1), "81.3");
        assert_eq!(rounded(18.75, 1), "18.8");
        assert_eq!(rounded(2.675, 2), "2.67");
        assert_eq!(rounded(100.0, 2), "100.00");
        assert_eq!(rounded(0.0, 2), "0.00");
        assert_eq!(rounded(f64::NAN, 2), "NaN");
    }

    #[test]
    fn columns_are_found_by_name_or_set() {
        let names = |spec: &str| {
            let columns = Columns::parse(spec).map(|columns| columns.fields);
            columns.map(|fields| fields.iter().map(|field| field.name).collect::<Vec<_>>())
        };
        assert_eq!(names("").unwrap().len(), 8);
        assert_eq!(names("").unwrap(), names("#DEFAULT").unwrap());
        assert_eq!(names("name,pgnofdp,").unwrap(), ["Name", "PgnoFDP"]);
        assert_eq!(names("Name,Nonsense").unwrap_err(), "Nonsense");
        for set in ["#legacy", "#leaked", "#spacehints", "#lvs", "#all"] {
            assert!(names(set).unwrap().len() > 6, "{set}");
        }
        let count = |spec| Columns::parse(spec).unwrap().count();
        assert_eq!(count("#legacy"), CountPages::No);
        assert_eq!(count("Name,Data"), CountPages::Strictly);
    }

    #[test]
    fn figures_of_nothing_are_blanks() {
        assert_eq!(
            figures(std::iter::empty()).len(),
            figures([1].into_iter()).len()
        );
        assert_eq!(
            figures([2, 4].into_iter()),
            "       2,    2,    3,      1,    4,           6"
        );
    }
}
