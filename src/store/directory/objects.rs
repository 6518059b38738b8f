//! The rows of `datatable` as a tree. Memory: 64 bytes a row. `[directory rules 1, 2, 3]`

/// Null in a column of numbers.
pub(super) const NULL: i32 = i32::MIN;
/// No row.
pub(super) const NONE: u32 = u32::MAX;
/// The row that is no object. `[directory rules 1]`
pub(super) const NOT_AN_OBJECT: i32 = 1;
/// The root.
pub(super) const ROOT: i32 = 2;

/// What is kept of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object {
    pub dnt: i32,
    pub pdnt: i32,
    pub ncdnt: i32,
    /// Its reference count; an absent one is the column's default.
    pub count: i64,
    /// Hash of the stored chain of ancestors, and whether there is one.
    pub ancestors: Option<u64>,
    /// The parent that the stored chain names, if the chain ends in the row itself.
    pub chain_parent: i32,
    pub instance_type: i32,
    pub ordinal: u32,
    pub is_object: bool,
    pub is_deleted: bool,
    /// Place of its parent.
    pub parent: u32,
    pub standing: Standing,
    /// References that certainly count, and those that may.
    pub low: u32,
    pub high: u32,
}

/// Where a row stands in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not yet known.
    Unknown,
    /// On the way up that is being gone.
    OnPath,
    /// It is the root, or the row that is no object.
    Special,
    /// Its parents lead to the root.
    UnderRoot,
    /// Its own parent is null, missing, itself, or the row that is no object.
    BadParent,
    /// It is one of a loop.
    Looped,
    /// One of its ancestors is one of the two above.
    Below,
}

/// All rows in the order of their DNT.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub all: Vec<Object>,
}

impl Objects {
    /// Puts rows into order and finds their parents. Returns ordinals of rows whose DNT another row has.
    pub fn settle(&mut self) -> Vec<(u32, i32)> {
        self.all.sort_by_key(|object| (object.dnt, object.ordinal));
        let mut twice = Vec::new();
        let mut last = None;
        self.all.retain(|object| {
            let same = last == Some(object.dnt);
            if same {
                twice.push((object.ordinal, object.dnt));
            }
            last = Some(object.dnt);
            !same
        });
        for at in 0..self.all.len() {
            self.all[at].parent = self.find(self.all[at].pdnt).unwrap_or(NONE);
        }
        self.stand();
        twice
    }

    /// The place of a row.
    pub fn find(&self, dnt: i32) -> Option<u32> {
        let found = self.all.binary_search_by_key(&dnt, |object| object.dnt);
        found.ok().map(|at| at as u32)
    }

    /// The row with a DNT.
    pub fn get(&self, dnt: i32) -> Option<&Object> {
        self.find(dnt).map(|at| &self.all[at as usize])
    }

    fn stand(&mut self) {
        let mut path: Vec<u32> = Vec::new();
        for start in 0..self.all.len() as u32 {
            path.clear();
            let mut at = start;
            let outcome = loop {
                let object = &self.all[at as usize];
                if object.standing == Standing::OnPath {
                    let from = path.iter().position(|seen| *seen == at);
                    for member in path.split_off(from.unwrap_or_default()) {
                        self.all[member as usize].standing = Standing::Looped;
                    }
                    break Standing::Below;
                }
                if object.standing != Standing::Unknown {
                    break match object.standing {
                        Standing::Special if object.dnt == ROOT => Standing::UnderRoot,
                        Standing::UnderRoot => Standing::UnderRoot,
                        _ => Standing::Below,
                    };
                }
                if object.dnt == NOT_AN_OBJECT || object.dnt == ROOT {
                    let is_root = object.dnt == ROOT;
                    self.all[at as usize].standing = Standing::Special;
                    break if is_root {
                        Standing::UnderRoot
                    } else {
                        Standing::Below
                    };
                }
                let no_parent = object.parent == NONE
                    || object.pdnt == NOT_AN_OBJECT
                    || object.pdnt == object.dnt;
                if no_parent {
                    self.all[at as usize].standing = Standing::BadParent;
                    break Standing::Below;
                }
                let next = object.parent;
                self.all[at as usize].standing = Standing::OnPath;
                path.push(at);
                at = next;
            };
            for row in &path {
                let standing = &mut self.all[*row as usize].standing;
                *standing = outcome;
            }
        }
    }

    /// The chain of a row under the root, from the root down, as it is stored: 4 bytes each, lowest first.
    pub fn chain(&self, at: u32) -> Vec<u8> {
        let mut dnts = Vec::new();
        let mut at = at;
        while let Some(object) = self.all.get(at as usize) {
            dnts.push(object.dnt);
            if object.dnt == ROOT || dnts.len() > self.all.len() {
                break;
            }
            at = object.parent;
        }
        dnts.iter()
            .rev()
            .flat_map(|dnt| dnt.to_le_bytes())
            .collect()
    }

    /// The head of the naming context that a row under the root is in: its nearest ancestor that is one. True when a phantom
    /// lies between.
    pub fn head_above(&self, at: u32) -> Option<(u32, bool)> {
        let mut over_phantom = false;
        let mut above = self.all.get(at as usize)?.parent;
        for _ in 0..self.all.len() {
            let object = self.all.get(above as usize)?;
            if object.is_object && object.instance_type & 1 != 0 {
                return Some((above, over_phantom));
            }
            over_phantom |= !object.is_object;
            above = object.parent;
        }
        None
    }
}
