//! The columns of a space dump: names, widths and what stands in them. The names are Eseutil's,
//! because `/f` takes them. [engine]

use crate::ops::space_dump::{CountPages, ObjectKind, ShapeOf, SpaceObject, SpacePool};

use super::space_cells::{
    available, average, counts, data, figures, hint, hint_percent, internal, kind, long_values,
    megabytes, name, of_table, pages, percent, runs, space,
};
use crate::db::space::Pool;

/// Heading of a column of five figures and a sum.
const SPREAD: &str = "   Count,  Min,  Ave, StdDev,  Max,       Total";
const SPREAD_WIDTH: usize = 48;
/// Headings of the bounds of histograms.
const NODES: &str = "   1-Node,   2-Nodes,   3-Nodes,   4-Nodes,   8-Nodes,  16-Nodes,  32-Nodes,\
    \x20 64-Nodes,  96-Nodes, 128-Nodes, 256-Nodes, 512-Nodes,1024-Nodes, Over-1024";
const RUNS: &str = "    1-Page,   2-Pages,   3-Pages,   4-Pages,   8-Pages,  16-Pages,  32-Pages,\
    \x20 64-Pages,  96-Pages, 128-Pages,  Over-128";
const SIZES: &str = "       4KB,       8KB,      16KB,      32KB,      64KB,     128KB,\
    \x20    256KB,     512KB,       1MB,       2MB,  Over-2MB";
const RATIOS: &str = "       30%,       40%,       50%,       60%,       70%,       80%,\
    \x20      90%,       93%,       95%,       97%,      100%";

/// What a column needs to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// The catalog and the space trees.
    Space,
    /// The internal pages of the trees.
    Pages,
    /// What the internal pages look like.
    Internal,
    /// What all pages look like.
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
    /// Nodes of its data tree.
    pub table_nodes: u64,
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

/// A column about the shape of a tree.
const fn shaped(
    need: Need,
    name: &'static str,
    width: usize,
    show: fn(&Cell<'_>, usize) -> Option<String>,
) -> Field {
    Field {
        need,
        ..field(name, width, show)
    }
}

/// A column of five figures and a sum about the shape of a tree.
const fn shape_spread(
    need: Need,
    name: &'static str,
    show: fn(&Cell<'_>, usize) -> Option<String>,
) -> Field {
    Field {
        need,
        ..spread(name, show)
    }
}

/// A column of a number for each bound of a histogram.
const fn histogram(
    need: Need,
    name: &'static str,
    parts: &'static str,
    show: fn(&Cell<'_>, usize) -> Option<String>,
) -> Field {
    Field {
        need,
        parts,
        ..field(name, histogram_width(parts), show)
    }
}

/// Eseutil's widths, which leave no room for the commas of the longest. [engine]
const fn histogram_width(parts: &str) -> usize {
    if parts.len() > 120 { 152 } else { 120 }
}

const fn spread(name: &'static str, show: fn(&Cell<'_>, usize) -> Option<String>) -> Field {
    Field {
        parts: SPREAD,
        ..field(name, SPREAD_WIDTH, show)
    }
}

/// A figure that this program does not have: the column stays empty.
const fn unknown(name: &'static str, width: usize) -> Field {
    field(name, width, |_, _| None)
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
        Some(figures(
            &extents.map(|extent| extent.count.into()).collect(),
        ))
    }),
    spread("GenAvailExt", |cell, _| {
        let runs = available(space(cell)?, &|pool| {
            matches!(pool, SpacePool::Primary | SpacePool::Entry(Pool::General))
        });
        Some(figures(&runs.collect()))
    }),
    spread("ContigAvailExt", |cell, _| {
        let runs = available(space(cell)?, &|pool| {
            pool == SpacePool::Entry(Pool::Continuous)
        });
        Some(figures(&runs.collect()))
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
    shaped(Need::Internal, "IORuns", 6, |cell, width| {
        Some(average(&runs(cell)?.pages, width))
    }),
    histogram(Need::Internal, "IORuns(histo)", RUNS, |cell, _| {
        Some(counts(runs(cell)?.histogram.hits()))
    }),
    shaped(Need::Internal, "FwdScans", 8, |cell, width| {
        Some(format!("{:width$}", runs(cell)?.forward_scans))
    }),
    shape_spread(Need::Internal, "Int:FreeBytes", |cell, _| {
        Some(figures(&internal(cell)?.free_bytes))
    }),
    shape_spread(Need::Internal, "Int:Nodes", |cell, _| {
        Some(figures(&internal(cell)?.nodes))
    }),
    histogram(Need::Internal, "Int:Nodes(histo)", NODES, |cell, _| {
        Some(counts(internal(cell)?.nodes_histogram.hits()))
    }),
    shape_spread(Need::Internal, "Int:KeySizes", |cell, _| {
        Some(figures(&internal(cell)?.key_bytes))
    }),
    shape_spread(Need::Internal, "Int:KeyComp", |cell, _| {
        Some(figures(&internal(cell)?.prefix_bytes))
    }),
    shape_spread(Need::Walk, "Data:FreeBytes", |cell, _| {
        Some(figures(&data(cell)?.free_bytes))
    }),
    shape_spread(Need::Walk, "Data:Nodes", |cell, _| {
        Some(figures(&data(cell)?.nodes))
    }),
    histogram(Need::Walk, "Data:Nodes(histo)", NODES, |cell, _| {
        Some(counts(data(cell)?.nodes_histogram.hits()))
    }),
    shaped(Need::Walk, "Node%Tbl", 9, |cell, width| {
        let shown = cell.object.kind == ObjectKind::Index && cell.table_nodes > 0;
        let nodes = data(cell)?.nodes.total;
        shown.then(|| percent(nodes, cell.table_nodes, width))
    }),
    shape_spread(Need::Walk, "Data:KeySizes", |cell, _| {
        Some(figures(&data(cell)?.key_bytes))
    }),
    shape_spread(Need::Walk, "Data:DataSizes", |cell, _| {
        Some(figures(&data(cell)?.data_bytes))
    }),
    shape_spread(Need::Walk, "Data:KeyComp", |cell, _| {
        Some(figures(&data(cell)?.prefix_bytes))
    }),
    shape_spread(Need::Walk, "Data:ReservedTags", |cell, _| {
        Some(figures(&data(cell)?.reserved_tag_bytes))
    }),
    shape_spread(Need::Walk, "Data:Unreclaim", |cell, _| {
        Some(figures(&data(cell)?.deleted_bytes))
    }),
    shaped(Need::Walk, "VersndNode", 10, |cell, width| {
        Some(format!("{:width$}", data(cell)?.versioned))
    }),
    shaped(Need::Walk, "cLVRefs", 12, |cell, width| {
        Some(format!("{:width$}", long_values(cell)?.references))
    }),
    shaped(Need::Walk, "cCorrLVs", 12, |cell, width| {
        Some(format!("{:width$}", long_values(cell)?.corrupt))
    }),
    shaped(Need::Walk, "cSepRtChk", 12, |cell, width| {
        Some(format!("{:width$}", long_values(cell)?.separated_roots))
    }),
    shaped(Need::Walk, "cPartDelLVs", 12, |cell, width| {
        Some(format!("{:width$}", long_values(cell)?.partly_deleted))
    }),
    shaped(Need::Walk, "lidMax", 12, |cell, width| {
        Some(format!("0x{:width$x}", long_values(cell)?.highest))
    }),
    shaped(Need::Walk, "LV:ChunkSize", 12, |cell, width| {
        Some(format!("{:width$}", long_values(cell)?.chunk))
    }),
    Field {
        parts: "   Count,  Ave",
        ..shaped(Need::Walk, "LV:Size", 14, |cell, _| {
            let bytes = &long_values(cell)?.bytes;
            Some(match bytes.total.checked_div(bytes.count) {
                Some(average) => format!("{:8},{average:5}", bytes.count),
                None => "       0,     ".to_owned(),
            })
        })
    },
    histogram(Need::Walk, "LV:Size(histo)", SIZES, |cell, _| {
        Some(counts(long_values(cell)?.bytes_histogram.hits()))
    }),
    shaped(Need::Walk, "LV:Comp", 12, |cell, width| {
        Some(average(&long_values(cell)?.stored_bytes, width))
    }),
    histogram(Need::Walk, "LV:Comp(histo)", SIZES, |cell, _| {
        Some(counts(long_values(cell)?.stored_histogram.hits()))
    }),
    histogram(Need::Walk, "LV:Ratio(histo)", RATIOS, |cell, _| {
        Some(counts(long_values(cell)?.ratio_histogram.hits()))
    }),
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

    /// What of the trees' pages they tell.
    pub fn shape(&self) -> ShapeOf {
        match self.fields.iter().map(|field| field.need).max() {
            Some(Need::Walk) => ShapeOf::Everything,
            Some(Need::Internal) => ShapeOf::Internal,
            _ => ShapeOf::Nothing,
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

#[cfg(test)]
mod tests {
    use super::{Columns, CountPages, ShapeOf};

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
        let shape = |spec| Columns::parse(spec).unwrap().shape();
        assert_eq!(shape("Name,Data"), ShapeOf::Nothing);
        assert_eq!(shape("Name,FwdScans"), ShapeOf::Internal);
        assert_eq!(shape("#lvs"), ShapeOf::Everything);
    }
}
