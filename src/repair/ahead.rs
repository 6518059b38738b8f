//! Damaged tables, worked out by several threads ahead of the one that writes them.
//!
//! What becomes of one table does not depend on another, so each thread takes the next table of the plan; the writer takes their
//! nodes in the order of the plan, so that the file is the same for any number of threads. A thread whose nodes are not
//! wanted yet waits when it holds some megabytes of them: the table that is written is always at work, so the others'
//! turn comes.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread::Scope;

use super::damaged::DamagedTable;
use super::report::TableRepair;
use super::table::Show;
use super::{Known, Shared};
use crate::db::catalog::Table;
use crate::format::ids::{Objid, Pgno};
use crate::jet::JetError;
use crate::rebuild::{Node, SourceError, TreeInfo};

/// Tables that are worked at together: more the writer could not keep up with, and each takes memory for sorting.
const TOGETHER_MOST: usize = 4;
/// Bytes of nodes that are handed over together.
const BATCH_BYTES: usize = 64 << 10;
/// Batches of one table that wait for the writer: 4 MiB.
const WAITING: usize = 64;

/// A damaged table, and its trees in the order in which they will be asked for.
pub(super) struct TableTrees<'s> {
    pub table: &'s Table,
    pub data: TreeInfo,
    pub others: Vec<TreeInfo>,
}

/// Nodes behind one another.
struct Batch {
    bytes: Vec<u8>,
    /// Where the key ends, and the data behind it.
    ends: Vec<(u32, u32)>,
}

impl Batch {
    fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(BATCH_BYTES),
            ends: Vec::new(),
        }
    }

    /// False when it is so full already that it must be handed over first. One node, which is no larger than a page, it
    /// always takes.
    fn push(&mut self, node: Node<'_>) -> bool {
        let taken = self.bytes.len() + self.ends.len() * size_of::<(u32, u32)>();
        if !self.ends.is_empty() && taken + node.key.len() + node.data.len() > BATCH_BYTES {
            return false;
        }
        self.bytes.extend_from_slice(node.key);
        let key = self.bytes.len() as u32;
        self.bytes.extend_from_slice(node.data);
        self.ends.push((key, self.bytes.len() as u32));
        true
    }

    fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        let mut start = 0;
        self.ends.iter().map(move |(key, end)| {
            let (key, end) = (*key as usize, *end as usize);
            let node = Node {
                key: &self.bytes[start..key],
                data: &self.bytes[key..end],
            };
            start = end;
            node
        })
    }
}

/// What a thread hands over of a table.
enum Handed {
    Nodes(Batch),
    /// A tree ends, so or otherwise.
    Tree(Result<(), SourceError>),
    /// The table does; nothing comes behind it.
    Table(Box<(TableRepair, Known)>),
}

/// A table that a thread has begun.
struct Begun {
    table: Objid,
    handed: Receiver<Handed>,
    /// Trees that the writer has not had yet.
    left: usize,
}

/// The writer's side.
pub(super) struct Ahead<'s> {
    shared: &'s Shared<'s>,
    begun: Receiver<Begun>,
    current: Option<Begun>,
}

impl<'env> Ahead<'env> {
    /// Starts the threads. Each tree will have to be asked for in the order of `tables`.
    pub fn start<'s>(
        shared: &'env Shared<'env>,
        tables: Vec<TableTrees<'env>>,
        scope: &'s Scope<'s, 'env>,
    ) -> Self {
        let threads = rayon::current_num_threads();
        let together = threads.min(TOGETHER_MOST).min(tables.len());
        let (to_writer, begun) = sync_channel(together);
        let queue = Mutex::new(Queue {
            tables: tables.into_iter(),
            to_writer,
        });
        if together > 0 {
            scope.spawn(move || work_all(shared, queue, threads, together));
        }
        Self {
            shared,
            begun,
            current: None,
        }
    }

    /// Shows the nodes of a tree. What became of the table before it, if there is one, is given to `ended`.
    pub fn nodes(
        &mut self,
        tree: &TreeInfo,
        ended: &mut dyn FnMut(TableRepair, Known),
        show: &mut Show<'_>,
    ) -> Result<(), SourceError> {
        if self.current.as_ref().map(|current| current.table) != Some(tree.table) {
            self.end(ended);
            self.current = self.begun.iter().find(|begun| begun.table == tree.table);
        }
        let Some(current) = &mut self.current else {
            return Err(nobody(tree));
        };
        for handed in &current.handed {
            match handed {
                Handed::Nodes(batch) => {
                    if batch.nodes().try_for_each(&mut *show).is_break() {
                        return Ok(());
                    }
                }
                Handed::Tree(result) => {
                    // Behind a tree that failed the table ends.
                    current.left = result
                        .as_ref()
                        .map_or(0, |()| current.left.saturating_sub(1));
                    return result;
                }
                Handed::Table(_) => break,
            }
        }
        Err(nobody(tree))
    }

    /// Tells what became of the table that was last asked for; nothing follows. Of one that the writer has broken off nothing is told: how far it came is
    /// chance.
    pub fn end(&mut self, ended: &mut dyn FnMut(TableRepair, Known)) {
        let whole = self.current.take().filter(|current| current.left == 0);
        for handed in whole.iter().flat_map(|current| &current.handed) {
            if let Handed::Table(result) = handed {
                let (repair, learned) = *result;
                ended(repair, learned);
            }
        }
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        // Who is at work does not have to come to its next node to hear of it.
        self.shared.cancelled.store(true, Ordering::Relaxed);
    }
}

/// Those who should work at this tree never began, or are gone without a word: by a panic, which is then passed on.
fn nobody(tree: &TreeInfo) -> SourceError {
    SourceError {
        tree: tree.to_string(),
        page: Pgno::NULL,
        jet: JetError::OUT_OF_MEMORY,
        what: "no thread works at it".to_owned(),
    }
}

/// Tables that nobody works at.
struct Queue<'s> {
    tables: std::vec::IntoIter<TableTrees<'s>>,
    to_writer: SyncSender<Begun>,
}

impl<'s> Queue<'s> {
    /// The next table, of which the writer is told. Whoever takes one holds the lock, so that they come in their order; and
    /// waits while as many as are worked at are worked out, but not written yet.
    fn next(&mut self) -> Option<(TableTrees<'s>, Hand)> {
        let trees = self.tables.next()?;
        let (to_writer, handed) = sync_channel(WAITING);
        let begun = Begun {
            table: trees.data.table,
            handed,
            left: 1 + trees.others.len(),
        };
        // The writer may have given up.
        self.to_writer.send(begun).ok()?;
        let hand = Hand {
            to_writer,
            batch: Batch::new(),
        };
        Some((trees, hand))
    }
}

/// A thread's side of a table.
struct Hand {
    to_writer: SyncSender<Handed>,
    batch: Batch,
}

impl Hand {
    fn push(&mut self, node: Node<'_>) -> ControlFlow<()> {
        if self.batch.push(node) {
            return ControlFlow::Continue(());
        }
        self.flush()?;
        self.batch.push(node);
        ControlFlow::Continue(())
    }

    fn flush(&mut self) -> ControlFlow<()> {
        if self.batch.ends.is_empty() {
            return ControlFlow::Continue(());
        }
        let batch = std::mem::replace(&mut self.batch, Batch::new());
        self.hand(Handed::Nodes(batch))
    }

    /// Breaks off when the writer does not listen any more.
    fn hand(&self, handed: Handed) -> ControlFlow<()> {
        match self.to_writer.send(handed) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

/// Works in threads of a pool of their own: what they do in parallel must not have to wait for threads of another one, of which
/// the writer may be one that waits for them.
fn work_all<'s>(shared: &'s Shared<'s>, queue: Mutex<Queue<'s>>, threads: usize, together: usize) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let all_here = Barrier::new(threads);
    // Without threads the queue is gone, and the writer is told so.
    if let Ok(pool) = pool.build() {
        pool.broadcast(|thread| {
            // A thread that helps another before it is here itself could come to its own table in the middle of that, and
            // the other would wait for all of it.
            all_here.wait();
            // The others help where one table has much to do.
            if thread.index() < together {
                work(shared, &queue, together);
            }
        });
    }
}

/// One thread: table after table, until there is none or the writer has gone.
fn work<'s>(shared: &'s Shared<'s>, queue: &Mutex<Queue<'s>>, together: usize) {
    loop {
        let mut waiting = queue.lock().unwrap_or_else(PoisonError::into_inner);
        let next = waiting.next();
        drop(waiting);
        let Some((trees, mut hand)) = next else {
            return;
        };
        let _ = table(shared, &trees, together, &mut hand);
    }
}

/// Works out a table; breaks off when nobody listens.
fn table<'s>(
    shared: &'s Shared<'s>,
    trees: &TableTrees<'s>,
    together: usize,
    hand: &mut Hand,
) -> ControlFlow<()> {
    let mut table = match DamagedTable::begin(shared, trees.table, &trees.data, together) {
        Ok(table) => table,
        Err(error) => return hand.hand(Handed::Tree(Err(error))),
    };
    for tree in std::iter::once(&trees.data).chain(&trees.others) {
        let shown = table.nodes(tree, &mut |node| hand.push(node));
        hand.flush()?;
        let failed = shown.is_err();
        hand.hand(Handed::Tree(shown))?;
        if failed {
            break;
        }
    }
    hand.hand(Handed::Table(Box::new(table.finish())))
}
