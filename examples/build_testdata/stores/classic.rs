//! Stores like those of Exchange 2003: tables, columns called by a letter for the type and the property's number, folders
//! with a table each.

use exutil::build::{Options, format_of};
use exutil::format::ids::PageSize;
use exutil::format::store::tags::{self, PropTag};

use super::rows::{Kind, Record, Sheet, Store};

/// An id: replid and counter, the highest byte first.
pub fn id(replid: u16, counter: u64) -> [u8; 8] {
    (u64::from(replid) << 48 | counter).to_be_bytes()
}

/// The id of a folder.
pub fn fid(number: u64) -> [u8; 8] {
    id(1, number)
}

/// The id of a shared message.
pub fn inid(number: u64) -> [u8; 8] {
    id(1, 0x1000 + number)
}

/// The id of an attachment.
pub fn attachment(number: u64) -> [u8; 8] {
    id(1, 0x2000 + number)
}

/// A time: minutes after a day in 2003.
pub fn minutes(after: i64) -> [u8; 8] {
    (127_000_000_000_000_000 + after * 600_000_000).to_le_bytes()
}

/// The name of a folder's table.
pub fn table_of(number: u64) -> String {
    format!("1-{number:X}")
}

/// Some bytes that depend on a number.
pub fn guid(number: u8) -> [u8; 16] {
    std::array::from_fn(|at| number.wrapping_mul(37).wrapping_add(at as u8 * 11))
}

/// The index that the event log of a real store names.
pub const BY_NAME: &str = "+Q6749+S3001+Q6748 409";

pub fn folders() -> Sheet {
    let columns = [
        ("L3601", Kind::Long),
        ("L3602", Kind::Long),
        ("L3603", Kind::Long),
        ("L3617", Kind::Long),
        ("L6638", Kind::Long),
        ("L6640", Kind::Long),
        ("L6641", Kind::Long),
        ("L6643", Kind::Long),
        ("T3007", Kind::Currency),
        ("T3008", Kind::Currency),
        ("T6642", Kind::Currency),
        ("T668f", Kind::Currency),
        ("T670a", Kind::Currency),
        ("Q66b3", Kind::Currency),
        ("Q66b4", Kind::Currency),
        ("Q669b", Kind::Currency),
        ("Q669c", Kind::Currency),
        ("Q669d", Kind::Currency),
        ("Q6748", Kind::Bytes),
        ("Q6749", Kind::Bytes),
        ("S3001", Kind::Text),
        ("S3004", Kind::Unicode),
        ("Ne58", Kind::Bytes),
        ("SearchFIDs", Kind::Blob),
        ("SearchBacklinks", Kind::Blob),
    ];
    let sheet = Sheet::new("Folders", &columns).primary("+Q6749+Q6748");
    sheet.index(BY_NAME).index("+Q6748")
}

pub fn entries(folder: u64) -> Sheet {
    let columns = [
        ("Le07", Kind::Long),
        ("Le08", Kind::Long),
        ("L674e", Kind::Long),
        ("B6708", Kind::Bit),
        ("B67aa", Kind::Bit),
        ("T6654", Kind::Currency),
        ("T668f", Kind::Currency),
        ("T6709", Kind::Currency),
        ("Q6748", Kind::Bytes),
        ("Q674a", Kind::Bytes),
        ("Q674d", Kind::Bytes),
        ("Qe5f", Kind::Bytes),
    ];
    Sheet::new(&table_of(folder), &columns).primary("+Q674a+Q674d")
}

fn messages() -> Sheet {
    let columns = [
        ("Le07", Kind::Long),
        ("Le08", Kind::Long),
        ("T3007", Kind::Currency),
        ("T3008", Kind::Currency),
        ("Q674d", Kind::Bytes),
        ("Q67a4", Kind::Bytes),
        ("S37", Kind::Unicode),
        ("S1000", Kind::Unicode),
        ("N300b", Kind::Bytes),
        ("N67b2", Kind::Blob),
        ("AttachmentIDs", Kind::Blob),
    ];
    Sheet::new("Msg", &columns).primary("+Q674d+Q67a4")
}

fn attachments() -> Sheet {
    let columns = [
        ("Le20", Kind::Long),
        ("Le21", Kind::Long),
        ("Q674d", Kind::Bytes),
        ("EmbeddedInid", Kind::Bytes),
        ("S3704", Kind::Unicode),
        ("N3701", Kind::Blob),
    ];
    Sheet::new("Attach", &columns).primary("+Q674d+Le20")
}

pub fn mailboxes() -> Sheet {
    let columns = [
        ("N676a", Kind::Bytes),
        ("N676c", Kind::Bytes),
        ("Q6748", Kind::Bytes),
        ("Q35e0", Kind::Bytes),
        ("Q35e2", Kind::Bytes),
        ("Q35e3", Kind::Bytes),
        ("Q35e4", Kind::Bytes),
        ("Q35e5", Kind::Bytes),
        ("Q35e6", Kind::Bytes),
        ("Q35e7", Kind::Bytes),
        ("S3001", Kind::Text),
        ("N66a0", Kind::Bytes),
    ];
    let sheet = Sheet::new("Mailbox", &columns).primary("+N676a");
    sheet.index("+S3001+N676a 409")
}

fn global() -> Sheet {
    let columns = [
        ("N6762", Kind::Bytes),
        ("N676a", Kind::Bytes),
        ("S6768", Kind::Unicode),
        ("MN667f", Kind::Blobs),
    ];
    let mut sheet = Sheet::new("Global", &columns);
    let row = Record::new().with("N6762", guid(1)).with("N676a", guid(2));
    let row = row.text("S6768", "EXCH1");
    let row = row.with("MN667f", guid(3)).with("MN667f", guid(4));
    sheet.rows.push(row);
    sheet
}

fn per_user() -> Sheet {
    let columns = [
        ("T3008", Kind::Currency),
        ("N676c", Kind::Bytes),
        ("N67d0", Kind::Bytes),
    ];
    let mut sheet = Sheet::new("PerUserRead", &columns).primary("+N676c+N67d0");
    for number in 0..6 {
        let row = Record::new().with("T3008", minutes(number.into()));
        let row = row.with("N676c", guid(20 + number % 3));
        sheet.rows.push(row.with("N67d0", guid(30 + number)));
    }
    sheet
}

fn named_props() -> Sheet {
    let columns = [
        ("PropNumber", Kind::Long),
        ("PropDispId", Kind::Long),
        ("PropGuid", Kind::Bytes),
        ("PropName", Kind::Unicode),
    ];
    let mut sheet = Sheet::new("NamedProps", &columns).primary("+PropNumber+PropGuid");
    for number in 0..6i32 {
        let row = Record::new().with("PropNumber", (0x8000 + number).to_le_bytes());
        let row = row.with("PropGuid", guid(40 + (number % 2) as u8));
        sheet.rows.push(match number {
            0..3 => row.with("PropDispId", (33_290 + number).to_le_bytes()),
            _ => row.text("PropName", &format!("x-header-{number}")),
        });
    }
    sheet
}

/// What a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderKind {
    /// The root of a mailbox or of the public tree.
    Root,
    /// Any other.
    Plain,
    /// Found by searching, with a table of its own.
    Search,
    /// The same, but nothing else knows of it.
    Bare,
}

/// What a row of a folder's table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    Read,
    Unread,
    Hidden,
    Deleted,
    DeletedHidden,
}

/// A store in the making.
pub struct Maker {
    pub store: Store,
    /// Counts rows, for their ids and times.
    next: i64,
}

impl Maker {
    /// A store without folders.
    pub fn new(seed: u32) -> Self {
        let format = format_of(9).expect("a known format");
        let mut options = Options::new(PageSize::K4, format, seed);
        options.spare_pages = 1;
        let sheets = vec![
            folders(),
            messages(),
            attachments(),
            global(),
            per_user(),
            named_props(),
        ];
        Self {
            store: Store { options, sheets },
            next: 0,
        }
    }

    fn tick(&mut self) -> i64 {
        self.next += 1;
        self.next
    }

    /// Adds a folder; `parent` is as stored.
    pub fn folder(&mut self, number: u64, parent: Option<[u8; 8]>, name: &str, kind: FolderKind) {
        let time = minutes(self.tick());
        let value: i32 = match kind {
            FolderKind::Root => 0,
            FolderKind::Plain => 1,
            FolderKind::Search | FolderKind::Bare => 2,
        };
        let mut row = Record::new().with("Q6748", fid(number)).with("S3001", name);
        row = row.with("L3601", value.to_le_bytes());
        row = row.with("T3007", time).with("T3008", time);
        if let Some(parent) = parent {
            row = row.with("Q6749", parent);
        }
        if number.is_multiple_of(3) {
            row = row.text("S3004", &format!("{name}: für alle, die es angeht"));
        }
        self.store.sheet("Folders").rows.push(row);
        if kind != FolderKind::Bare {
            self.store.sheets.push(entries(number));
            self.child_entry(number, parent);
        }
    }

    /// The row that a folder has in its parent's table.
    fn child_entry(&mut self, number: u64, parent: Option<[u8; 8]>) {
        let Some(parent) = parent else { return };
        let counter = u64::from_be_bytes(parent) & 0xFFFF_FFFF_FFFF;
        let name = table_of(counter);
        let time = minutes(self.tick());
        if let Some(sheet) = self
            .store
            .sheets
            .iter_mut()
            .find(|sheet| sheet.name == name)
        {
            let row = Record::new().with("B6708", [0xFF]).with("Q6748", parent);
            let row = row.with("Q674a", fid(number)).with("Q674d", fid(number));
            sheet
                .rows
                .push(row.with("Qe5f", fid(number)).with("T6654", time));
        }
    }

    /// Marks a folder as soft-deleted.
    pub fn delete_folder(&mut self, number: u64) {
        let time = minutes(5000 + self.tick());
        let row = self.store.row("Folders", "Q6748", &fid(number));
        row.set("T668f", time);
    }

    /// Adds a message.
    pub fn message(&mut self, number: u64, subject: &str, attached: &[u64]) {
        let time = minutes(self.tick());
        let body = format!("{subject}: see below. ").repeat(1 + (number as usize * 7) % 20);
        let mut list = vec![
            0x0E08_0003,
            0x3007_0040,
            0x0037_001F,
            0x1000_001F,
            0x300B_0102,
        ];
        if !attached.is_empty() {
            list.push(0x0E07_0003);
        }
        let list: Vec<PropTag> = list.into_iter().map(PropTag).collect();
        let mut row = Record::new().with("Q674d", inid(number));
        row = row
            .with("Q67a4", id(1, 0x9000 + number))
            .with("Le08", size_of(number));
        row = row.with("T3007", time).with("T3008", time);
        row = row.text("S37", subject).text("S1000", &body);
        row = row
            .with("N300b", guid(number as u8))
            .with("N67b2", tags::write(&list));
        if !attached.is_empty() {
            let ids: Vec<u8> = attached.iter().flat_map(|n| attachment(*n)).collect();
            row = row
                .with("Le07", 0x10i32.to_le_bytes())
                .with("AttachmentIDs", ids);
        }
        self.store.sheet("Msg").rows.push(row);
    }

    /// Adds an attachment, perhaps of a message.
    pub fn attachment(&mut self, number: u64, name: &str, embedded: Option<u64>) {
        let len = 300 + number as usize * 411;
        let row = Record::new().with("Q674d", attachment(number));
        let row = row
            .with("Le20", (len as i32).to_le_bytes())
            .with("Le21", 0i32.to_le_bytes());
        let row = row
            .text("S3704", name)
            .with("N3701", vec![number as u8; len]);
        self.store.sheet("Attach").rows.push(match embedded {
            Some(message) => row.with("EmbeddedInid", inid(message)),
            None => row,
        });
    }

    /// Puts a message into a folder.
    pub fn entry(&mut self, folder: u64, message: u64, kind: EntryKind) {
        self.entry_from(folder, folder, message, kind);
    }

    /// Puts a message of another folder into a search folder.
    pub fn entry_from(&mut self, folder: u64, source: u64, message: u64, kind: EntryKind) {
        let number = self.tick();
        let time = minutes(number);
        let flags: i32 = if kind == EntryKind::Unread { 4 } else { 5 };
        let mut row = Record::new()
            .with("Q6748", fid(folder))
            .with("Qe5f", fid(source));
        row = row
            .with("Q674a", id(1, 0x4000 + number as u64))
            .with("Q674d", inid(message));
        row = row
            .with("L674e", 0i32.to_le_bytes())
            .with("Le07", flags.to_le_bytes());
        row = row
            .with("Le08", size_of(message))
            .with("T6654", time)
            .with("T6709", time);
        if matches!(kind, EntryKind::Hidden | EntryKind::DeletedHidden) {
            row = row.with("B67aa", [0xFF]);
        }
        if matches!(kind, EntryKind::Deleted | EntryKind::DeletedHidden) {
            row = row.with("T668f", minutes(4000 + number));
        }
        let sheet = self.store.sheet(&table_of(folder));
        sheet.rows.push(row);
        // Views are made when somebody looks.
        if sheet.rows.len() == 3 {
            sheet.add_index("-T6654+Q674a");
        }
    }
}

fn size_of(message: u64) -> [u8; 4] {
    (1000 + message as i32 * 321).to_le_bytes()
}
