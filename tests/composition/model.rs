//! What must become of each record: naive, recursive, and blind to time.
//!
//! Only where a queue's policy, a memory, a recorder or a limiting filter keeps records back by timing, it looks at what has
//! come out there; laws of their own say what may stay in.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    outputs::{Act, Mark, State},
    tree::{Node, Sizes, gauge_of},
};

/// How a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Written,
    Filtered,
    Dropped,
    Failed,
    /// A delivery that is let go of; it counts as dropped.
    Forgotten,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) id: u32,
    pub(crate) severity: i32,
    pub(crate) target: &'static str,
}

/// What must be at one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) entered: BTreeMap<u32, u32>,
    /// By the level that was set.
    pub(crate) refused: u64,
    pub(crate) ends: [u64; 4],
}

impl Named {
    /// So many that counted as written failed later.
    pub(crate) fn with_late(&self, late: u64) -> Self {
        let mut named = self.clone();
        named.ends[End::Written as usize] -= late;
        named.ends[End::Failed as usize] += late;
        named
    }
}

pub(crate) struct Model<'a> {
    root: &'a Node,
    sizes: &'a Sizes,
    came: Vec<BTreeSet<u32>>,
    pub(crate) outs: Vec<BTreeMap<(u32, u32), u32>>,
    pub(crate) named: Vec<Named>,
    /// How many were lost, each where it was lost.
    pub(crate) lost: u64,
    /// How many a store refused that were on disk, by the name before it.
    pub(crate) late: Vec<u64>,
    /// The name before the node.
    slot: usize,
}

impl<'a> Model<'a> {
    pub(crate) fn new(root: &'a Node, sizes: &'a Sizes, state: &State) -> Self {
        let came = state.gauges.iter().map(|gauge| gauge.ids.iter().copied().collect()).collect();
        let (outs, named) = (vec![BTreeMap::new(); sizes.outs], vec![Named::default(); sizes.slots]);
        Self { root, sizes, came, outs, named, lost: 0, late: vec![0; sizes.slots], slot: 0 }
    }

    pub(crate) fn send(&mut self, sent: &Sent) -> End {
        let root = self.root;
        self.end_of(root, sent, false, 0)
    }

    /// `is_covered`: somebody else takes it where it fails.
    fn end_of(&mut self, node: &'a Node, sent: &Sent, is_covered: bool, marks: u32) -> End {
        let came = |model: &Self, gauge: usize| model.came[gauge].contains(&sent.id);
        match node {
            // It counted as written, and no fallback gets it.
            Node::Batch { profile, spool: Some(refused), .. }
                if profile.act(sent.id) == Act::Fail && !came(self, *refused) =>
            {
                self.lost += 1;
                self.late[self.slot] += 1;
                End::Written
            }
            Node::Out { out, profile } | Node::Stream { out, profile, .. } | Node::Batch { out, profile, .. } => {
                let (end, is_loss) = profile.act(sent.id).fate();
                self.lost += u64::from(is_loss && !is_covered);
                self.output(*out, sent, marks, end)
            }
            Node::OwnLater { out } if sent.id.is_multiple_of(4) => {
                self.lost += u64::from(!is_covered);
                self.output(*out, sent, marks, End::Failed)
            }
            Node::File { out, .. } | Node::Rotating { out } | Node::OwnLater { out } => {
                self.output(*out, sent, marks, End::Written)
            }
            Node::OwnCount => End::Written,
            Node::Full { .. } => {
                self.lost += u64::from(!is_covered);
                End::Failed
            }
            Node::Level(least, _) if sent.severity < *least => End::Filtered,
            Node::Filter(divisor, _) if sent.id.is_multiple_of(*divisor) => End::Filtered,
            Node::Limit { after, .. } if !came(self, *after) => End::Filtered,
            Node::Queue { after, .. } | Node::MemoryBuffer { after, .. } | Node::Recorder { after, .. }
                if !came(self, *after) =>
            {
                End::Dropped
            }
            Node::Level(_, child) | Node::Filter(_, child) | Node::OwnWrapper(child) => {
                self.end_of(child, sent, is_covered, marks)
            }
            Node::Limit { child, .. } | Node::Queue { child, .. } => self.end_of(child, sent, is_covered, marks),
            Node::MemoryBuffer { target, .. } | Node::Recorder { target, .. } => {
                self.end_of(target, sent, is_covered, marks)
            }
            Node::Transform(child) => self.end_of(child, sent, is_covered, marks + u32::from(Mark::is_for(sent.id))),
            Node::Again(slot) => self.end_of(self.root.named(*slot), sent, is_covered, marks),
            Node::Named { slot, level, child } => {
                let end = if sent.severity < *level {
                    self.named[*slot].refused += 1;
                    End::Filtered
                } else {
                    *self.named[*slot].entered.entry(sent.id).or_default() += 1;
                    let above = std::mem::replace(&mut self.slot, *slot);
                    let end = self.end_of(child, sent, is_covered, marks);
                    self.slot = above;
                    end
                };
                self.named[*slot].ends[end as usize] += 1;
                end
            }
            Node::Tee(all) => self.worst(all.iter(), sent, is_covered, marks),
            Node::Router(all) => {
                let name = sent.target;
                let is_above = |logger: &str| {
                    logger.is_empty()
                        || name == logger
                        || name.strip_prefix(logger).is_some_and(|rest| rest.starts_with('.'))
                };
                let all = all.iter().filter(|(logger, _)| is_above(logger)).map(|(_, node)| node);
                self.worst(all, sent, is_covered, marks)
            }
            Node::Fallback { first, fallback, .. } => match self.end_of(first, sent, true, marks) {
                End::Dropped => self.end_of(fallback, sent, is_covered, marks),
                // Of two errors, the first says why.
                End::Failed => self.end_of(fallback, sent, is_covered, marks),
                end => end,
            },
        }
    }

    /// Without handlers it is dropped.
    fn worst(&mut self, all: impl Iterator<Item = &'a Node>, sent: &Sent, is_covered: bool, marks: u32) -> End {
        all.map(|node| self.end_of(node, sent, is_covered, marks)).max().unwrap_or(End::Dropped)
    }

    fn output(&mut self, out: usize, sent: &Sent, marks: u32, end: End) -> End {
        if end == End::Written {
            *self.outs[out].entry((sent.id, marks)).or_default() += 1;
        }
        end
    }

    /// What came where there is a name, against what has to.
    pub(crate) fn gauge_of(&self, slot: usize) -> usize {
        gauge_of(self.sizes, slot)
    }
}
