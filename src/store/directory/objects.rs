//! The rows of `datatable` as a tree. Memory: 72 bytes a row, and some 16 more while something goes down the tree. `[directory rules 1, 2, 3]`

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
    /// Hash of the stored chain of ancestors, if there is one of whole numbers; see [`longer`].
    pub ancestors: Option<u64>,
    /// The parent that the stored chain names, if the chain ends in the row itself.
    pub chain_parent: i32,
    pub instance_type: i32,
    pub ordinal: u32,
    pub is_object: bool,
    pub is_deleted: bool,
    /// It is no object, and refers to itself.
    pub names_itself: bool,
    /// That it is no object has been told of as wrong.
    pub doubted: bool,
    /// Place of its parent.
    pub parent: u32,
    pub standing: Standing,
    /// References that certainly count, and those that may.
    pub low: u32,
    pub high: u32,
}

impl Object {
    /// The head of a naming context. The root is one whatever it says of itself.
    pub const fn is_head(&self) -> bool {
        self.is_object && self.instance_type & 1 != 0 || self.dnt == ROOT
    }

    /// A head that the context above must know.
    pub const fn is_known_above(&self) -> bool {
        self.is_object && self.instance_type & 1 != 0 && self.instance_type & 8 != 0
    }
}

/// Hash of a chain with nothing in it.
const EMPTY: u64 = 0;

/// Hash of a chain with one more number: that of a row comes from its parent's, so nobody needs the whole chain of each row.
/// The steps are those of `SplitMix64`.
pub(super) const fn longer(chain: u64, dnt: i32) -> u64 {
    let mut hash = chain
        .wrapping_add(dnt.cast_unsigned() as u64)
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

/// The hash of a stored chain; `None` where bytes are left over.
pub(super) fn hash_of_chain(chain: &[u8]) -> Option<u64> {
    let (numbers, rest) = chain.as_chunks::<4>();
    let hash = numbers.iter().fold(EMPTY, |hash, bytes| {
        longer(hash, i32::from_le_bytes(*bytes))
    });
    rest.is_empty().then_some(hash)
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
        let mut dnts = self.last_of_chain(at, self.all.len());
        dnts.reverse();
        dnts.iter().flat_map(|dnt| dnt.to_le_bytes()).collect()
    }

    /// The last numbers of a row's chain, the row's own first.
    pub fn last_of_chain(&self, at: u32, most: usize) -> Vec<i32> {
        let mut dnts = Vec::new();
        let mut at = at;
        while let Some(object) = self.all.get(at as usize).filter(|_| dnts.len() < most) {
            dnts.push(object.dnt);
            if object.dnt == ROOT {
                break;
            }
            at = object.parent;
        }
        dnts
    }

    /// What each row under the root has from its parent: the root has `of_root`, any other row what `step` makes of what its
    /// parent has. `None` for other rows. Each row is visited once, however deep the tree is.
    pub fn go_down<T: Copy>(
        &self,
        of_root: T,
        step: impl Fn(T, u32, &Object) -> T,
    ) -> Vec<Option<T>> {
        let mut known = vec![None; self.all.len()];
        if let Some(root) = self.find(ROOT) {
            known[root as usize] = Some(of_root);
        }
        let mut path: Vec<u32> = Vec::new();
        for start in 0..self.all.len() as u32 {
            let mut at = start;
            while let Some(object) = self.all.get(at as usize)
                && known[at as usize].is_none()
                && object.standing == Standing::UnderRoot
                // There are no loops among these; if there were, this would end.
                && path.len() < self.all.len()
            {
                path.push(at);
                at = object.parent;
            }
            let mut value = known.get(at as usize).copied().flatten();
            while let Some(at) = path.pop() {
                value = value.map(|above| step(above, at, &self.all[at as usize]));
                known[at as usize] = value;
            }
        }
        known
    }

    /// The hash of each row's chain, and how long that is.
    pub fn chains(&self) -> Vec<Option<(u64, u32)>> {
        self.go_down((longer(EMPTY, ROOT), 1), |(hash, length), _, object| {
            (longer(hash, object.dnt), length.saturating_add(1))
        })
    }

    /// What the rows directly below each row have for a head.
    pub fn heads(&self) -> Vec<Option<Head>> {
        let root = Head {
            at: self.find(ROOT).unwrap_or(NONE),
            over_phantom: false,
        };
        self.go_down(root, |above, at, object| match object.is_head() {
            true => Head {
                at,
                over_phantom: false,
            },
            false => Head {
                over_phantom: above.over_phantom || !object.is_object,
                ..above
            },
        })
    }

    /// Rows in an order in which those below a row follow it directly.
    pub fn tour(&self) -> Tour {
        let depths = self.go_down(0u32, |depth, _, _| depth.saturating_add(1));
        let mut order: Vec<u32> = (0..self.all.len() as u32)
            .filter(|at| depths[*at as usize].is_some())
            .collect();
        order.sort_by_key(|at| depths[*at as usize]);
        let parent = |at: u32| {
            let object = &self.all[at as usize];
            (object.dnt != ROOT).then_some(object.parent as usize)
        };
        let mut sizes = vec![0u32; self.all.len()];
        for at in order.iter().rev() {
            sizes[*at as usize] += 1;
            if let Some(parent) = parent(*at) {
                sizes[parent] += sizes[*at as usize];
            }
        }
        let mut places = vec![NONE; self.all.len()];
        // Where the next row below goes.
        let mut next = vec![0u32; self.all.len()];
        for at in order {
            let place = parent(at).map_or(0, |parent| {
                let place = next[parent];
                next[parent] += sizes[at as usize];
                place
            });
            places[at as usize] = place;
            next[at as usize] = place + 1;
        }
        Tour { places, sizes }
    }
}

/// The head of the naming context that rows are in: their nearest ancestor that is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub at: u32,
    /// A phantom lies between.
    pub over_phantom: bool,
}

/// Tells in one step whether a row is below another.
pub(super) struct Tour {
    places: Vec<u32>,
    sizes: Vec<u32>,
}

impl Tour {
    /// The place of a row, which is before those of all rows below it.
    pub fn place(&self, at: u32) -> u32 {
        self.places[at as usize]
    }

    pub fn is_below(&self, at: u32, above: u32) -> bool {
        let (place, from) = (self.place(at), self.place(above));
        let both = place != NONE && from != NONE;
        both && place > from && place - from < self.sizes[above as usize]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{NONE, NULL, Object, Objects, ROOT, Standing, hash_of_chain};

    pub(in super::super) fn object(dnt: i32, pdnt: i32) -> Object {
        Object {
            dnt,
            pdnt,
            ncdnt: ROOT,
            count: 0,
            ancestors: None,
            chain_parent: NULL,
            instance_type: 4,
            ordinal: dnt.cast_unsigned(),
            is_object: true,
            is_deleted: false,
            names_itself: false,
            doubted: false,
            parent: NONE,
            standing: Standing::Unknown,
            low: 0,
            high: 0,
        }
    }

    fn settled(all: Vec<Object>) -> Objects {
        let mut objects = Objects { all };
        assert!(objects.settle().is_empty());
        objects
    }

    #[test]
    fn a_deep_tree_is_no_work() {
        const DEPTH: i32 = 100_000;
        // Each row is the parent of the one before, so that the way up is always the longest.
        let mut all = vec![object(1, NULL), object(ROOT, 0), object(DEPTH, ROOT)];
        all.extend((3..DEPTH).map(|dnt| object(dnt, dnt + 1)));
        let mut objects = settled(all);
        let middle = objects.find(DEPTH / 2).unwrap();
        objects.all[middle as usize].instance_type = 5;
        let lowest = objects.find(3).unwrap();
        let chains = objects.chains();
        let chain = objects.chain(lowest);
        let hash = hash_of_chain(&chain).unwrap();
        assert_eq!(
            chains[lowest as usize],
            Some((hash, DEPTH.cast_unsigned() - 1))
        );
        assert_eq!(chains[0], None);
        let heads = objects.heads();
        assert_eq!(heads[lowest as usize].unwrap().at, middle);
        let top = objects.find(DEPTH).unwrap();
        assert_eq!(heads[top as usize].unwrap().at, 1);
        let tour = objects.tour();
        assert!(tour.is_below(lowest, top) && !tour.is_below(top, lowest));
        assert!(!tour.is_below(lowest, lowest) && !tour.is_below(0, top));
    }

    #[test]
    fn rows_beside_each_other_are_not_below() {
        let all = [
            (1, NULL),
            (2, 0),
            (4, 2),
            (5, 2),
            (6, 4),
            (7, 5),
            (8, 5),
            (9, 9),
        ];
        let objects = settled(all.map(|(dnt, pdnt)| object(dnt, pdnt)).to_vec());
        let tour = objects.tour();
        for one in &objects.all {
            for other in &objects.all {
                let [at, above] = [one, other].map(|row| objects.find(row.dnt).unwrap());
                let expected = matches!((one.dnt, other.dnt), (4..=8, 2) | (6, 4) | (7 | 8, 5));
                assert_eq!(
                    tour.is_below(at, above),
                    expected,
                    "{} {}",
                    one.dnt,
                    other.dnt
                );
            }
        }
        assert_eq!(hash_of_chain(&[2, 0, 0, 0, 1]), None);
    }
}
