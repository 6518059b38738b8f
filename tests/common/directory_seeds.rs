//! Defects that are put into the two real directories, byte by byte. `docs/directory-rules.md`

/// Page, offset in the file, bytes there, bytes instead.
pub type Patch = (u32, u64, &'static [u8], &'static [u8]);

/// A defect of both files.
pub struct Seed {
    pub name: &'static str,
    /// The test and the rule that find it.
    pub test: &'static str,
    pub check: &'static str,
    /// What a fix needs: `None`: there is none.
    pub fix: Option<Fix>,
    /// The patches of ntds.dit and of adamntds.dit.
    pub patches: [&'static [Patch]; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fix {
    Plain,
    Trust,
}

macro_rules! seed {
    ($name:literal, $test:literal, $check:literal, $fix:expr, [$(($pa:literal, $oa:literal, $fa:expr, $ta:expr)),*], [$(($pb:literal, $ob:literal, $fb:expr, $tb:expr)),*]) => {
        Seed {
            name: $name,
            test: $test,
            check: $check,
            fix: $fix,
            patches: [&[$(($pa, $oa, $fa, $ta)),*], &[$(($pb, $ob, $fb, $tb)),*]],
        }
    };
}

/// One defect for each rule, and second kinds of some.
pub const SEEDS: &[Seed] = &[
    seed!(
        "root's parent",
        "dnt",
        "dnt",
        None,
        [(290, 0x24_6094, &[0; 4], &[1, 0, 0, 0])],
        [(104, 0xD_2090, &[0; 4], &[1, 0, 0, 0])]
    ),
    seed!(
        "a chain",
        "ancestors",
        "ancestors",
        Some(Fix::Plain),
        [(290, 0x24_772B, &[5, 0, 0, 0], &[4, 0, 0, 0])],
        [(104, 0xD_344F, &[5, 0, 0, 0], &[4, 0, 0, 0])]
    ),
    seed!(
        "a naming context",
        "nc",
        "nc",
        Some(Fix::Plain),
        [(290, 0x24_769F, &[5, 0, 0, 0], &[4, 0, 0, 0])],
        [(104, 0xD_33D1, &[5, 0, 0, 0], &[4, 0, 0, 0])]
    ),
    seed!(
        "a distinguished name",
        "self",
        "self",
        Some(Fix::Plain),
        [(290, 0x24_77A6, &[13, 0, 0, 0], &[15, 0, 0, 0])],
        [(104, 0xD_34B2, &[13, 0, 0, 0], &[15, 0, 0, 0])]
    ),
    seed!(
        "the attribute of a name",
        "rdn",
        "rdn",
        None,
        [(290, 0x24_768B, &[3, 0, 0, 0], &[10, 0, 0, 0])],
        [(104, 0xD_33C1, &[3, 0, 0, 0], &[10, 0, 0, 0])]
    ),
    seed!(
        "a reference count",
        "refcount",
        "refcount",
        Some(Fix::Plain),
        [(290, 0x24_768F, &[1, 0, 0, 0], &[2, 0, 0, 0])],
        [(104, 0xD_33C5, &[1, 0, 0, 0], &[2, 0, 0, 0])]
    ),
    seed!(
        "a descriptor's count",
        "sd.ref",
        "sd.ref",
        Some(Fix::Plain),
        [(1191, 0x95_00DC, &[2, 0, 0, 0], &[3, 0, 0, 0])],
        [(205, 0x19_C0DC, &[2, 0, 0, 0], &[3, 0, 0, 0])]
    ),
    seed!(
        "a descriptor's hash",
        "sd.hash",
        "sd.hash",
        Some(Fix::Plain),
        [(1191, 0x95_00CC, &[0xA5], &[0xA4])],
        [(205, 0x19_C0CC, &[0xA5], &[0xA4])]
    ),
    seed!(
        "a descriptor",
        "sd.valid",
        "sd.valid",
        None,
        [(1191, 0x95_00E6, &[1], &[2])],
        [(205, 0x19_C0E6, &[1], &[2])]
    ),
    seed!(
        "a link's attribute",
        "links",
        "links",
        None,
        [
            (1067, 0x85_8079, &[0xFA, 3, 0, 0], &[0x88, 0x13, 0, 0]),
            (1067, 0x85_8063, &[0x80, 0, 3, 0xFA], &[0x80, 0, 0x13, 0x88])
        ],
        [
            (257, 0x20_4079, &[0xFA, 3, 0, 0], &[0x88, 0x13, 0, 0]),
            (257, 0x20_4063, &[0x80, 0, 3, 0xFA], &[0x80, 0, 0x13, 0x88])
        ]
    ),
    seed!(
        "a head that is not told of",
        "subrefs",
        "subrefs.odd",
        None,
        [(290, 0x24_65B4, &[13, 0, 0, 0], &[5, 0, 0, 0])],
        [(104, 0xD_23E2, &[13, 0, 0, 0], &[5, 0, 0, 0])]
    ),
    seed!(
        "the root's dMDLocation",
        "dangling",
        "dangling",
        None,
        [(290, 0x24_60E5, &[3, 0, 0, 0], &[0, 0xFF, 0xFF, 0])],
        [(104, 0xD_20CF, &[3, 0, 0, 0], &[0, 0xFF, 0xFF, 0])]
    ),
    seed!(
        "a syntax",
        "schema",
        "schema",
        None,
        [(290, 0x24_77CA, &[0x10, 0, 8, 0], &[9, 0, 8, 0])],
        [(104, 0xD_38E2, &[0x10, 0, 8, 0], &[9, 0, 8, 0])]
    ),
    seed!(
        "a USN",
        "usn",
        "usn",
        None,
        [(
            290,
            0x24_77D6,
            &[6, 0, 0, 0, 0, 0, 0, 0],
            &[0x88, 0x13, 0, 0, 0, 0, 0, 0]
        )],
        [(
            104,
            0xD_3920,
            &[6, 0, 0, 0, 0, 0, 0, 0],
            &[0x88, 0x13, 0, 0, 0, 0, 0, 0]
        )]
    ),
    seed!(
        "the server's object",
        "hidden",
        "hidden.dsa",
        None,
        [(1057, 0x84_404A, &[7, 0, 0, 0], &[0x9F, 0x86, 1, 0])],
        [(195, 0x18_804A, &[7, 0, 0, 0], &[0x9F, 0x86, 1, 0])]
    ),
    seed!(
        "a parent that is not there",
        "dnt",
        "dnt",
        None,
        [(290, 0x24_7686, &[5, 0, 0, 0], &[0x9F, 0x86, 1, 0])],
        [(104, 0xD_33BC, &[5, 0, 0, 0], &[0x9F, 0x86, 1, 0])]
    ),
    seed!(
        "its own parent",
        "dnt",
        "dnt",
        None,
        [(290, 0x24_7686, &[5, 0, 0, 0], &[13, 0, 0, 0])],
        [(104, 0xD_33BC, &[5, 0, 0, 0], &[13, 0, 0, 0])]
    ),
    seed!(
        "another parent",
        "dnt",
        "dnt",
        None,
        [(290, 0x24_7686, &[5, 0, 0, 0], &[4, 0, 0, 0])],
        [(104, 0xD_33BC, &[5, 0, 0, 0], &[4, 0, 0, 0])]
    ),
    seed!(
        "a category that is not there",
        "dangling",
        "dangling",
        None,
        [(290, 0x24_7867, &[14, 0, 0, 0], &[0x9F, 0x86, 1, 0])],
        [(104, 0xD_394F, &[14, 0, 0, 0], &[0x9F, 0x86, 1, 0])]
    ),
    seed!(
        "a descriptor that is not there",
        "sd.ref",
        "sd.ref",
        None,
        [(
            290,
            0x24_784E,
            &[3, 0, 0, 0, 0, 0, 0, 0],
            &[0x4D, 0, 0, 0, 0, 0, 0, 0]
        )],
        [(
            104,
            0xD_38FB,
            &[3, 0, 0, 0, 0, 0, 0, 0],
            &[0x4D, 0, 0, 0, 0, 0, 0, 0]
        )]
    ),
    seed!(
        "a SID in a descriptor",
        "sd.hash",
        "sd.hash",
        None,
        [(1191, 0x95_019B, &[0x20, 2], &[0x21, 2])],
        [(205, 0x19_C193, &[0x20, 2], &[0x21, 2])]
    ),
    seed!(
        "a class that is not there",
        "schema",
        "schema",
        None,
        [(290, 0x24_61D5, &[4, 0, 1, 0], &[0xCF, 1, 1, 0])],
        [(104, 0xD_21AD, &[4, 0, 1, 0], &[0xCF, 1, 1, 0])]
    ),
    seed!(
        "a link of a row that is not there",
        "links",
        "links",
        Some(Fix::Trust),
        [
            (1067, 0x85_8071, &[7, 0, 0, 0], &[0x9F, 0x86, 1, 0]),
            (1067, 0x85_805E, &[0x80, 0, 0, 7], &[0x80, 1, 0x86, 0x9F])
        ],
        [
            (257, 0x20_4071, &[7, 0, 0, 0], &[0x9F, 0x86, 1, 0]),
            (257, 0x20_405E, &[0x80, 0, 0, 7], &[0x80, 1, 0x86, 0x9F])
        ]
    ),
];
