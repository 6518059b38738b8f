//! What the committed sample databases contain.

use std::io::Cursor;

use exutil::build::{BuildError, Column, DatabaseBuilder, Index, Options, Row, Table, format_of};
use exutil::format::dbheader::DbState;
use exutil::format::ids::{Generation, PageSize};
use exutil::format::keys::TupleLimits;
use exutil::format::schema::{Coltyp, Fid, FidKind, index_flags};

/// The sample files: name and content.
pub fn all() -> Result<Vec<(&'static str, Vec<u8>)>, BuildError> {
    let mut files = vec![("priv1.edb", store()?), ("dirty.edb", dirty()?)];
    let minis = [
        ("mini-2k.edb", PageSize::K2, 20),
        ("mini-4k.edb", PageSize::K4, 290),
        ("mini-8k.edb", PageSize::K8, 290),
        ("mini-32k.edb", PageSize::K32, 290),
    ];
    for (name, page_size, major) in minis {
        files.push((name, mini(options(page_size, major, name.len() as u32)?)?));
    }
    Ok(files)
}

/// Options of a format that must exist.
pub fn options(page_size: PageSize, major: u32, seed: u32) -> Result<Options, BuildError> {
    let format = format_of(major).ok_or(BuildError::Format("unknown revision"))?;
    Ok(Options::new(page_size, format, seed))
}

/// Page sizes with formats that brought something new to them.
pub fn formats() -> impl Iterator<Item = (PageSize, u32)> {
    let sizes = PageSize::ALL.into_iter();
    let all = sizes.flat_map(|size| [9, 0xC, 0x11, 20, 290].map(|major| (size, major)));
    all.filter(|(size, major)| *size != PageSize::K2 || *major <= 20)
}

/// A repeatable stream of numbers (xorshift).
pub struct Noise(u64);

impl Noise {
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `limit`.
    pub const fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    /// Bytes that do not compress.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.next().to_le_bytes());
        words.take(len.div_ceil(8)).flatten().take(len).collect()
    }

    /// Words of about `len` letters in all.
    pub fn words(&mut self, len: usize) -> String {
        const WORDS: [&str; 12] = [
            "meeting", "Report", "budget", "re:", "FW:", "Lunch", "status", "of", "the", "Server",
            "plan", "2003",
        ];
        let mut text = String::with_capacity(len + 8);
        while text.len() < len {
            text.push_str(WORDS[self.below(WORDS.len() as u64) as usize]);
            text.push(' ');
        }
        text
    }
}

/// The names of columns in the order of [`every_type`].
struct EveryType {
    plan: Plan,
    table: Table,
    fids: Vec<(Fid, Coltyp, FidKind)>,
}

/// Which indexes the table of all types has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// One, over values of a multi-valued column.
    One,
    /// One over each two columns.
    Pairs,
    /// One over each column; also the newest type, which not every reader knows.
    Each,
}

const TYPES: [(&str, Coltyp); 14] = [
    ("bit", Coltyp::Bit),
    ("ub", Coltyp::UnsignedByte),
    ("sh", Coltyp::Short),
    ("lg", Coltyp::Long),
    ("cy", Coltyp::Currency),
    ("r4", Coltyp::Single),
    ("r8", Coltyp::Double),
    ("dt", Coltyp::DateTime),
    ("bin", Coltyp::Binary),
    ("txt", Coltyp::Text),
    ("ul", Coltyp::UnsignedLong),
    ("ll", Coltyp::LongLong),
    ("guid", Coltyp::Guid),
    ("us", Coltyp::UnsignedShort),
];

/// A table with every type as fixed column, and the others as variable and tagged ones.
fn every_type(plan: Plan) -> EveryType {
    let mut table = Table::new("types");
    let mut fids = Vec::new();
    let id = table.add(Column::fixed("id", Coltyp::Long).not_null());
    let newest = [("ull", Coltyp::UnsignedLongLong)];
    let newest = newest.into_iter().filter(|_| plan == Plan::Each);
    for (name, coltyp) in TYPES.into_iter().chain(newest) {
        let column = Column::fixed(name, coltyp);
        let column = if coltyp.fixed_size().is_none() {
            column.max(20)
        } else {
            column
        };
        fids.push((table.add(column), coltyp, FidKind::Fixed));
    }
    let more = [
        Column::variable("vbin", Coltyp::Binary),
        Column::variable("vtxt", Coltyp::Text).max(60),
        Column::tagged("tlg", Coltyp::Long).default_value(&7i32.to_le_bytes()),
        Column::tagged("mlg", Coltyp::Long).multi_valued(),
        Column::tagged("ttxt", Coltyp::Text).multi_valued(),
        Column::tagged("lbin", Coltyp::LongBinary),
        Column::tagged("ltxt", Coltyp::LongText),
        Column::tagged("mlbin", Coltyp::LongBinary).multi_valued(),
    ];
    for column in more {
        let (coltyp, kind) = (column.coltyp, column.kind);
        fids.push((table.add(column), coltyp, kind));
    }
    table.add(Column::tagged("uni", Coltyp::LongText).unicode());
    table.primary(Index::new("pk").ascending(id));
    add_indexes(&mut table, &fids, id, plan);
    if plan == Plan::One {
        // Few enough pages to be described in the space header alone.
        table.pages = 4;
    }
    EveryType { plan, table, fids }
}

fn add_indexes(table: &mut Table, fids: &[(Fid, Coltyp, FidKind)], id: Fid, plan: Plan) {
    let multi = table.columns.iter().find(|c| c.1.name == "mlg");
    if let Some(multi) = multi.map(|c| c.0) {
        let index = Index::new("mv").ascending(multi).descending(id);
        table.index(index.with_flags(index_flags::MULTI_VALUED, 0));
    }
    let width = match plan {
        Plan::One => return,
        Plan::Pairs => 2,
        Plan::Each => 1,
    };
    for (number, columns) in fids.chunks(width).enumerate() {
        let index = columns.iter().fold(Index::new(""), |mut index, (fid, ..)| {
            index.name += table.column(*fid).map_or("", |c| &c.name);
            match number % 3 {
                0 => index.descending(*fid),
                _ => index.ascending(*fid),
            }
        });
        table.index(match number % 3 {
            1 => index.ascending(id).unique(),
            _ => index,
        });
    }
    if let Some((text, ..)) = fids.iter().find(|f| f.1 == Coltyp::LongText) {
        let limits = TupleLimits {
            least: 3,
            most: 8,
            count: 12,
            step: 1,
            start: 0,
        };
        table.index(Index::new("tuple").ascending(*text).tuples(limits));
    }
    let index = Index::new("some").ascending(fids[2].0).ascending(fids[9].0);
    let index = index.only_if(fids[3].0, false).limits(60, 20);
    table.index(index.with_flags(0, index_flags::ALLOW_SOME_NULLS));
}

fn every_type_row(types: &EveryType, number: i32, noise: &mut Noise) -> Row {
    let id = types.table.columns[0].0;
    let mut row = Row::new().set(id, number.to_le_bytes());
    for (fid, coltyp, kind) in &types.fids {
        // Some columns are null, fixed ones too. A null over a default value is not read by every
        // reader.
        if noise.below(5) == 0 {
            if noise.below(2) == 0 && types.plan == Plan::Each {
                row = row.null(*fid);
            }
            continue;
        }
        let multi = *kind == FidKind::Tagged && noise.below(2) == 0;
        let is_multi = types
            .table
            .column(*fid)
            .is_some_and(|c| c.flags & 8 != 0 && multi);
        let count = if is_multi { 2 + noise.below(3) } else { 1 };
        for _ in 0..count {
            row = row.set(*fid, one_value(*coltyp, *kind, noise));
        }
    }
    row
}

/// A value of a type.
pub fn one_value(coltyp: Coltyp, kind: FidKind, noise: &mut Noise) -> Vec<u8> {
    match (coltyp, coltyp.fixed_size()) {
        (Coltyp::Bit, _) => vec![if noise.below(2) == 0 { 0 } else { 0xFF }],
        (Coltyp::Double | Coltyp::DateTime, _) => {
            let days = noise.below(4_000_000) as f64 / 100.0 - 2000.0;
            days.to_le_bytes().to_vec()
        }
        (Coltyp::Single, _) => (noise.below(9999) as f32 - 5000.0).to_le_bytes().to_vec(),
        (_, Some(size)) => noise.bytes(size),
        (Coltyp::Text, None) => {
            let len = if kind == FidKind::Fixed { 12 } else { 40 };
            let len = noise.below(len) as usize;
            noise
                .words(len)
                .into_bytes()
                .into_iter()
                .take(len + 3)
                .collect()
        }
        (Coltyp::LongText, None) => {
            let len = noise.below(600) as usize;
            noise.words(len).into_bytes()
        }
        (Coltyp::Binary, None) => {
            let len = if kind == FidKind::Fixed { 20 } else { 70 };
            let len = 1 + noise.below(len) as usize;
            noise.bytes(len.min(if kind == FidKind::Fixed { 20 } else { 70 }))
        }
        (_, None) => {
            let len = 1 << noise.below(13);
            noise.bytes(len)
        }
    }
}

/// Every column type, an index over each, long values apart, a table without a primary index.
pub fn mini(options: Options) -> Result<Vec<u8>, BuildError> {
    let (plan, rows) = match options.page_size {
        PageSize::K4 => (Plan::Pairs, 20),
        PageSize::K2 | PageSize::K8 | PageSize::K16 | PageSize::K32 => (Plan::One, 8),
    };
    build(options, |builder| {
        let types = every_type(plan);
        let mut noise = Noise::new(7);
        let rows: Vec<Row> = (0..rows)
            .map(|number| every_type_row(&types, number - 3, &mut noise))
            .collect();
        builder.add_table(types.table, rows)?;
        let (table, key, value) = sequence();
        let rows = (0..30u32).map(|number| {
            let row = Row::new().set(key, number.wrapping_mul(77).to_le_bytes());
            row.set(value, format!("line {number}"))
        });
        builder.add_table(table, rows)?;
        Ok(())
    })
}

fn sequence() -> (Table, Fid, Fid) {
    let mut table = Table::new("sequence");
    let key = table.add(Column::fixed("k", Coltyp::UnsignedLong));
    let value = table.add(Column::variable("v", Coltyp::Text));
    (table, key, value)
}

/// Every column type in many rows, so that all trees have several levels.
pub fn wide(options: Options, rows: i32) -> Result<Vec<u8>, BuildError> {
    build(options, |builder| {
        let types = every_type(Plan::Each);
        let mut noise = Noise::new(11);
        let mut writer = builder.table(types.table.clone())?;
        for number in 0..rows {
            writer.row(&every_type_row(&types, number, &mut noise))?;
        }
        writer.finish()?;
        let (table, key, value) = sequence();
        let rows = (0..rows as u32).map(|number| {
            let row = Row::new().set(key, number.to_le_bytes());
            row.set(value, format!("line {number}"))
        });
        builder.add_table(table, rows)?;
        builder.add_table(Table::new("empty"), [])?;
        Ok(())
    })
}

/// A database that needs log generations 3 to 5.
fn dirty() -> Result<Vec<u8>, BuildError> {
    let mut options = options(PageSize::K4, 20, 99)?;
    options.state = DbState::DirtyShutdown;
    options.required = (Generation::new(3), Generation::new(5));
    build(options, |builder| {
        let (table, key, value) = sequence();
        let rows = (0..200u32).map(|number| {
            let row = Row::new().set(key, number.to_le_bytes());
            row.set(value, format!("entry {number}"))
        });
        builder.add_table(table, rows)?;
        Ok(())
    })
}

/// A small mailbox store in the format of Exchange 2003.
fn store() -> Result<Vec<u8>, BuildError> {
    let mut options = options(PageSize::K4, 9, 2003)?;
    options.spare_pages = 3;
    build(options, |builder| {
        store_tables(
            builder,
            StoreSize {
                mailboxes: 5,
                folders: 60,
                messages: 80,
                body: 5000,
                suffix: String::new(),
            },
        )
    })
}

/// How much a store holds.
pub struct StoreSize {
    pub mailboxes: u32,
    pub folders: u32,
    pub messages: u32,
    /// Longest message body in bytes.
    pub body: u64,
    /// What follows the names of tables.
    pub suffix: String,
}

/// The tables of a store: columns are named by a letter for the type and the property's number.
pub fn store_tables<W: std::io::Write + std::io::Seek>(
    builder: &mut DatabaseBuilder<W>,
    size: StoreSize,
) -> Result<(), BuildError> {
    let mut noise = Noise::new(u64::from(size.messages));
    mailboxes(builder, &size, &mut noise)?;
    folders(builder, &size, &mut noise)?;
    messages(builder, &size, &mut noise)?;
    attachments(builder, &size, &mut noise)
}

/// A folder or message id: eight bytes that sort by number.
fn id(number: u32) -> [u8; 8] {
    (0x0001_0000_0000_0000 | u64::from(number)).to_be_bytes()
}

fn time(noise: &mut Noise) -> [u8; 8] {
    (127_000_000_000_000_000u64 + noise.below(1 << 50)).to_le_bytes()
}

fn mailboxes<W: std::io::Write + std::io::Seek>(
    builder: &mut DatabaseBuilder<W>,
    size: &StoreSize,
    noise: &mut Noise,
) -> Result<(), BuildError> {
    let mut table = Table::new(&format!("Mailbox{}", size.suffix));
    let guid = table.add(Column::variable("N676a", Coltyp::Binary).not_null());
    let folder = table.add(Column::variable("Q6748", Coltyp::Binary));
    let name = table.add(Column::tagged("S3001", Coltyp::Text));
    let count = table.add(Column::fixed("L3602", Coltyp::Long));
    table.primary(Index::new("+N676a").ascending(guid));
    table.index(
        Index::new("+S3001+N676a 409")
            .ascending(name)
            .ascending(guid),
    );
    let mut guids: Vec<Vec<u8>> = (0..size.mailboxes).map(|_| noise.bytes(16)).collect();
    guids.sort_unstable();
    let rows = (1..).zip(guids).map(|(number, bytes)| {
        Row::new()
            .set(guid, bytes)
            .set(folder, id(number))
            .set(name, format!("User {number:04}"))
            .set(count, number.to_le_bytes())
    });
    builder.add_table(table, rows)?;
    Ok(())
}

fn folders<W: std::io::Write + std::io::Seek>(
    builder: &mut DatabaseBuilder<W>,
    size: &StoreSize,
    noise: &mut Noise,
) -> Result<(), BuildError> {
    const NAMES: [&str; 6] = [
        "Inbox",
        "Sent Items",
        "Calendar",
        "Contacts",
        "Drafts",
        "Tasks",
    ];
    let mut table = Table::new(&format!("Folders{}", size.suffix));
    let count = table.add(Column::fixed("L3602", Coltyp::Long));
    let unread = table.add(Column::fixed("L3603", Coltyp::Long));
    let created = table.add(Column::fixed("T3007", Coltyp::Currency));
    let fid = table.add(Column::variable("Q6748", Coltyp::Binary).not_null());
    let parent = table.add(Column::variable("Q6749", Coltyp::Binary));
    let name = table.add(Column::tagged("S3001", Coltyp::Text));
    let comment = table.add(Column::tagged("S3004", Coltyp::LongText));
    let kind = table.add(Column::tagged("L3601", Coltyp::Long).default_value(&1i32.to_le_bytes()));
    table.primary(Index::new("+Q6748").ascending(fid));
    let by_name = Index::new("+Q6749+S3001+Q6748 409").ascending(parent);
    table.index(by_name.ascending(name).ascending(fid));
    table.index(Index::new("-T3007").descending(created));
    let (folders, boxes) = (size.folders, size.mailboxes.max(1));
    let rows = (1..=folders).map(|number| {
        let messages = noise.below(500) as u32;
        let row = Row::new()
            .set(fid, id(number))
            .set(
                parent,
                id(if number <= boxes {
                    0
                } else {
                    number % boxes + 1
                }),
            )
            .set(name, NAMES[number as usize % NAMES.len()])
            .set(count, messages.to_le_bytes())
            .set(unread, (messages / 3).to_le_bytes())
            .set(created, time(noise));
        match number % 4 {
            0 => row.set(comment, noise.words(80)),
            1 => row.set(kind, 2i32.to_le_bytes()),
            _ => row,
        }
    });
    builder.add_table(table, rows)?;
    Ok(())
}

fn messages<W: std::io::Write + std::io::Seek>(
    builder: &mut DatabaseBuilder<W>,
    size: &StoreSize,
    noise: &mut Noise,
) -> Result<(), BuildError> {
    let mut table = Table::new(&format!("Msg{}", size.suffix));
    let length = table.add(Column::fixed("Le08", Coltyp::Long));
    let flags = table.add(Column::fixed("Le07", Coltyp::Long));
    let delivered = table.add(Column::fixed("Te06", Coltyp::Currency));
    let mid = table.add(Column::variable("Q674a", Coltyp::Binary).not_null());
    let folder = table.add(Column::variable("Q6748", Coltyp::Binary));
    let subject = table.add(Column::tagged("S37", Coltyp::Text));
    let body = table.add(Column::tagged("S1000", Coltyp::LongText));
    let headers = table.add(Column::tagged("S7d", Coltyp::LongText));
    let recipients = table.add(Column::tagged("MNe12", Coltyp::LongBinary).multi_valued());
    table.pages = 8;
    table.primary(Index::new("+Q674a").ascending(mid));
    table.index(
        Index::new("+Q6748+Te06+Q674a")
            .ascending(folder)
            .descending(delivered)
            .ascending(mid),
    );
    table.index(Index::new("+S37 409").ascending(subject));
    let folders = size.folders.max(1);
    let most = size.body.max(2);
    let rows = (1..=size.messages).map(|number| {
        let body_len = if number % 4 == 0 { most } else { most / 12 };
        let body_len = 1 + noise.below(body_len) as usize;
        let row = Row::new()
            .set(mid, id(number))
            .set(folder, id(number % folders + 1))
            .set(length, (body_len as u32).to_le_bytes())
            .set(flags, (noise.below(4) as u32).to_le_bytes())
            .set(delivered, time(noise))
            .set(subject, noise.words(30))
            .set(body, noise.words(body_len))
            .set(headers, noise.words(120));
        (0..noise.below(3)).fold(row, |row, _| row.set(recipients, noise.bytes(24)))
    });
    builder.add_table(table, rows)?;
    Ok(())
}

fn attachments<W: std::io::Write + std::io::Seek>(
    builder: &mut DatabaseBuilder<W>,
    size: &StoreSize,
    noise: &mut Noise,
) -> Result<(), BuildError> {
    let mut table = Table::new(&format!("Attachments{}", size.suffix));
    let key = table.add(Column::fixed("Le21", Coltyp::Long).not_null());
    let length = table.add(Column::fixed("Le20", Coltyp::Long));
    let mid = table.add(Column::variable("Q674a", Coltyp::Binary));
    let name = table.add(Column::tagged("S3704", Coltyp::Text));
    let data = table.add(Column::tagged("N3701", Coltyp::LongBinary));
    table.primary(Index::new("+Le21").ascending(key));
    table.index(Index::new("+Q674a").ascending(mid));
    let most = size.body.max(2) * 2;
    let rows = (0..size.messages / 10).map(|number| {
        let len = 1 + noise.below(most) as usize;
        Row::new()
            .set(key, number.to_le_bytes())
            .set(length, (len as u32).to_le_bytes())
            .set(mid, id(number * 9 + 1))
            .set(name, format!("file{number}.doc"))
            .set(data, noise.bytes(len))
    });
    builder.add_table(table, rows)?;
    Ok(())
}

fn build(
    options: Options,
    fill: impl FnOnce(&mut DatabaseBuilder<Cursor<Vec<u8>>>) -> Result<(), BuildError>,
) -> Result<Vec<u8>, BuildError> {
    let mut builder = DatabaseBuilder::new(Cursor::new(Vec::new()), options)?;
    fill(&mut builder)?;
    let (out, _) = builder.finish()?;
    Ok(out.into_inner())
}
