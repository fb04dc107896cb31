//! What must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use tracing_strata::ledger::Stats;

use crate::{
    model::{End, Model, Named},
    outputs::{State, parse},
    play::{Case, Play},
    tree::{Node, path_of},
};

/// Records of a child of a fork have ids from here on.
pub(crate) const CHILD: u32 = 1_000;

/// What was said when everything was flushed.
pub(crate) struct Seen {
    pub(crate) first: Result<(), String>,
    /// It was flushed, and what holds records back has nothing more to give up.
    pub(crate) is_quiet: bool,
}

/// Everything that was sent.
fn ids<'a>(play: &'a Play<'_>) -> impl Iterator<Item = u32> + 'a {
    play.sent.iter().flatten().flat_map(|(_, ids)| ids).copied()
}

pub(crate) fn check(play: &Play<'_>, seen: &Seen) -> Result<(), String> {
    let case = play.case;
    let state = state(play);
    let mut model = Model::new(&case.root, &case.sizes, &state);
    let ends: BTreeMap<u32, End> = ids(play).map(|id| (id, model.send(&case.sent(id)))).collect();
    let gave_up = gave_up(play, &state, seen)?;
    if play.is_shut && case.root.all().iter().any(|node| matches!(node, Node::Again(_))) {
        // Of a record that came to a queue twice, nobody can say which was given up.
        return Ok(());
    }
    recorders(case, play, &state)?;
    places(&model, &state, None)?;
    for (slot, ledger) in play.built.ledgers.iter().enumerate() {
        let Some(ledger) = ledger else { continue };
        let own = state.gauges[model.gauge_of(slot)].own;
        let want = &model.named[slot];
        // What was refused out of a spool is on the account of that process.
        let late = model.late[slot].saturating_sub(play.refused_later)..=model.late[slot];
        let accounts = late.map(|late| account(case, slot, &want.with_late(late), own, ledger.stats()));
        accounts.reduce(Result::or).unwrap_or(Ok(()))?;
    }
    order(play, &state)?;
    let lost = model.lost.saturating_sub(play.reported.get());
    if seen.is_quiet {
        let is_own_lost =
            case.root.all().iter().any(|node| matches!(node, Node::Full { gauge } if state.gauges[*gauge].own > 0));
        let may_be_silent = play.is_muddled;
        let may_complain = is_own_lost || gave_up || play.is_shut;
        match &seen.first {
            Ok(()) if lost > 0 && !may_be_silent => {
                return Err(format!("{lost} were lost, and flush_all says nothing (ends: {ends:?})"));
            }
            Err(error) if lost == 0 && !may_complain => {
                return Err(format!("nothing was lost, and flush_all says: {error}"));
            }
            _ => {}
        }
        play.reported.set(model.lost);
    }
    Ok(())
}

/// What outputs and gauges have, also in files.
fn state(play: &Play<'_>) -> State {
    let built = &play.built;
    let mut state = {
        let state = built.world.state();
        State { gauges: state.gauges.clone(), outs: state.outs.clone() }
    };
    for node in play.case.root.all() {
        if let Node::File { out, .. } | Node::Rotating { out } = node {
            let base = path_of(built.dir.as_deref().unwrap(), *out);
            let older = (1..50).rev().map(|number| base.with_file_name(format!("out{out}.{number}")));
            let text: String =
                older.chain([base.clone()]).map(|path| fs::read_to_string(path).unwrap_or_default()).collect();
            // In the parent, what the child of a fork wrote is not meant.
            state.outs[*out].got = parse(&text).into_iter().filter(|(id, _)| play.is_child || *id < CHILD).collect();
        }
    }
    state
}

/// Each output has what it must have, once; and what came to each name is what had to.
fn places(model: &Model<'_>, state: &State, from: Option<u32>) -> Result<(), String> {
    let is_meant = |id: &u32| from.is_none_or(|from| *id >= from);
    for (out, want) in model.outs.iter().enumerate() {
        let got = counted(state.outs[out].got.iter().filter(|(id, _)| is_meant(id)).copied());
        if got != *want {
            return Err(format!("out {out}: (id, marks): {}", difference(&got, want)));
        }
    }
    for (slot, want) in model.named.iter().enumerate() {
        let got = counted(state.gauges[model.gauge_of(slot)].ids.iter().filter(|id| is_meant(id)).copied());
        if got != want.entered {
            return Err(format!("n{slot}: {}", difference(&got, &want.entered)));
        }
    }
    Ok(())
}

fn counted<T: Ord>(all: impl Iterator<Item = T>) -> BTreeMap<T, u32> {
    all.fold(BTreeMap::new(), |mut counted, one| {
        *counted.entry(one).or_default() += 1;
        counted
    })
}

fn difference<T: Ord + Copy + std::fmt::Debug>(got: &BTreeMap<T, u32>, want: &BTreeMap<T, u32>) -> String {
    let keys: BTreeSet<T> = got.keys().chain(want.keys()).copied().collect();
    let wrong = keys.into_iter().filter(|key| got.get(key) != want.get(key));
    let wrong: Vec<String> = wrong
        .map(|key| {
            let of = |counts: &BTreeMap<T, u32>| counts.get(&key).copied().unwrap_or_default();
            format!("{key:?} is there {} times, not {}", of(got), of(want))
        })
        .collect();
    wrong.join(", ")
}

/// The account of a name: all that came has ended as it must. Notices of the crate's own may come on top.
fn account(case: &Case, slot: usize, want: &Named, own: u64, stats: Stats) -> Result<(), String> {
    let entered: u64 = want.entered.values().map(|count| u64::from(*count)).sum();
    let all = entered + want.refused + own;
    let ends = [stats.written, stats.filtered, stats.dropped, stats.failed];
    let more: Vec<i64> = ends.iter().zip(want.ends).map(|(got, want)| *got as i64 - want as i64).collect();
    let excess: i64 = more.iter().sum();
    let is_right = stats.queued == 0
        && more.iter().all(|more| *more >= 0)
        && if may_be_more(&case.root, slot) { excess >= own as i64 } else { excess == own as i64 };
    if is_right {
        return Ok(());
    }
    Err(format!("n{slot} was given {all} ({own} notices) and must have {:?}, but: {stats}", want.ends))
}

/// Whether records are born on the account of a name: those of a limiting filter or a queue right behind it.
pub(crate) fn has_births(root: &Node, slot: usize) -> bool {
    fn look(node: &Node) -> bool {
        match node {
            Node::Named { .. } | Node::Again(_) => false,
            Node::Limit { .. } | Node::Queue { .. } => true,
            node => node.children().into_iter().any(look),
        }
    }
    root.named(slot).children().into_iter().any(look)
}

/// Whether there is more on its account than what came to the gauge behind it.
fn may_be_more(root: &Node, slot: usize) -> bool {
    // Notices that its level refuses do not come so far.
    has_births(root, slot) || matches!(root.named(slot), Node::Named { level: 1.., .. })
}

/// Only who may give up has done so. Says whether somebody has whose loss is to be told.
fn gave_up(play: &Play<'_>, state: &State, seen: &Seen) -> Result<bool, String> {
    let mut any = false;
    for node in play.case.root.all() {
        let (before, after, may, what) = match node {
            Node::Queue { before, after, policy, capacity, .. } => {
                (before, after, policy.gives_up(*capacity) || play.is_shut, "queue")
            }
            Node::MemoryBuffer { before, after, on_close, .. } => {
                (before, after, !on_close && (!seen.is_quiet || play.is_shut), "memory")
            }
            Node::Limit { .. } | Node::Recorder { .. } => continue,
            _ => continue,
        };
        let missing = missing(state, *before, *after)?;
        if !missing.is_empty() && !may {
            return Err(format!("{what} {before}: {missing:?} went in and did not come out"));
        }
        if let Node::Queue { queue, .. } = node {
            any |= !missing.is_empty();
            if let Some(Some(guard)) = play.built.guards.get(*queue) {
                let lost = guard.stats().lost.total();
                let notices = state.gauges[*before].own;
                if !(missing.len() as u64..=missing.len() as u64 + notices).contains(&lost) {
                    return Err(format!("queue {queue} says that {lost} were lost; {missing:?} did not come out"));
                }
            }
        }
    }
    Ok(any)
}

/// What went in and did not come out. Nothing comes out that did not go in, or twice.
fn missing(state: &State, before: usize, after: usize) -> Result<Vec<u32>, String> {
    let mut went = counted(state.gauges[before].ids.iter().copied());
    for id in &state.gauges[after].ids {
        match went.get_mut(id) {
            Some(count) if *count > 0 => *count -= 1,
            _ => return Err(format!("gauge {after}: {id} came out more often than it went in")),
        }
    }
    Ok(went.into_iter().flat_map(|(id, count)| std::iter::repeat_n(id, count as usize)).collect())
}

/// A recorder that sees spans while they are open: what is below its threshold comes out where its tree was released.
fn recorders(case: &Case, play: &Play<'_>, state: &State) -> Result<(), String> {
    for (node, is_direct) in with_directness(&case.root, true) {
        let Node::Recorder { hold_below, release_at, pass_outside, before, after, .. } = node else { continue };
        let missing = missing(state, *before, *after)?;
        if !is_direct {
            continue;
        }
        let went: BTreeSet<u32> = state.gauges[*before].ids.iter().copied().collect();
        for (in_span, ids) in play.sent.iter().flatten() {
            let in_span = *in_span && case.by_layer;
            let is_released =
                in_span && ids.iter().any(|id| went.contains(id) && case.sent(*id).severity >= *release_at);
            for id in ids.iter().filter(|id| went.contains(id)) {
                let is_held = case.sent(*id).severity < *hold_below;
                let passes = !is_held || if in_span { is_released } else { *pass_outside };
                if passes == missing.contains(id) {
                    return Err(format!("recorder {before}: {id} {}", if passes { "is missing" } else { "came out" }));
                }
            }
        }
    }
    Ok(())
}

/// Each with whether records come to it on the thread that sent them.
fn with_directness(node: &Node, is_direct: bool) -> Vec<(&Node, bool)> {
    let mut all = vec![(node, is_direct)];
    let keeps =
        matches!(node, Node::Queue { .. } | Node::MemoryBuffer { .. } | Node::Recorder { .. } | Node::Limit { .. });
    let below = is_direct && !keeps;
    match node {
        Node::Fallback { first, fallback, .. } => {
            all.extend(with_directness(first, below));
            all.extend(with_directness(fallback, below && is_prompt(first)));
        }
        node => node.children().into_iter().for_each(|child| all.extend(with_directness(child, below))),
    }
    all
}

/// Whether every record has ended when `handle` returns.
fn is_prompt(node: &Node) -> bool {
    match node {
        Node::Out { profile, .. } => profile.is_prompt(),
        Node::Batch { .. }
        | Node::Queue { .. }
        | Node::MemoryBuffer { .. }
        | Node::Recorder { .. }
        | Node::OwnLater { .. }
        | Node::Again(_) => false,
        Node::File { buffer, .. } => !buffer,
        node => node.children().into_iter().all(is_prompt),
    }
}

/// Outputs that records of one thread come to by one way, which keeps their order. `by_others`: another thread may have
/// brought some of them.
fn ordered(node: &Node, by_others: bool, found: &mut Vec<usize>) {
    match node {
        Node::Out { out, profile } if profile.is_prompt() => found.push(*out),
        Node::Stream { out, .. } | Node::File { out, .. } | Node::Rotating { out } => found.push(*out),
        // Of each thread that gives it records.
        Node::Batch { out, .. } if !by_others => found.push(*out),
        Node::Recorder { hold_below: 40, release_at: 40, target, .. } => ordered(target, by_others, found),
        Node::Recorder { .. } | Node::Again(_) => {}
        Node::Fallback { first, fallback, .. } => {
            ordered(first, by_others, found);
            if is_prompt(first) {
                ordered(fallback, by_others, found);
            }
        }
        Node::MemoryBuffer { target, .. } => ordered(target, true, found),
        // Of each thread that gives it records.
        Node::Queue { .. } if by_others => {}
        node => node.children().into_iter().for_each(|child| ordered(child, by_others, found)),
    }
}

fn order(play: &Play<'_>, state: &State) -> Result<(), String> {
    let root = &play.case.root;
    let mut outs = Vec::new();
    ordered(root, false, &mut outs);
    let again: BTreeSet<usize> =
        root.all().iter().filter_map(|node| if let Node::Again(slot) = node { Some(*slot) } else { None }).collect();
    for slot in again {
        for node in root.named(slot).all() {
            let (Node::Out { out, .. }
            | Node::Stream { out, .. }
            | Node::Batch { out, .. }
            | Node::File { out, .. }
            | Node::Rotating { out }) = node
            else {
                continue;
            };
            outs.retain(|other| other != out);
        }
    }
    for out in outs {
        for sender in &play.sent {
            let mine: Vec<u32> = sender.iter().flat_map(|(_, ids)| ids).copied().collect();
            let got: Vec<u32> = state.outs[out].got.iter().map(|(id, _)| *id).filter(|id| mine.contains(id)).collect();
            if !got.is_sorted() {
                return Err(format!("out {out}: not in order: {got:?}"));
            }
        }
    }
    Ok(())
}

/// Whether all that was sent before a rollover is in that file: nothing on the way holds it back for longer.
pub(crate) fn is_straight(root: &Node, out: usize) -> bool {
    fn look(node: &Node, out: usize) -> bool {
        match node {
            Node::Rotating { out: this } => *this == out,
            Node::MemoryBuffer { .. } | Node::Recorder { .. } => false,
            Node::Fallback { first, fallback, .. } => look(first, out) || is_prompt(first) && look(fallback, out),
            node => node.children().into_iter().any(|child| look(child, out)),
        }
    }
    // One that hangs twice may be reached by another way.
    look(root, out) && !root.all().iter().any(|node| matches!(node, Node::Again(_)))
}

/// Whether an output's thread may bring a fallback's queue something after its guard is gone, which is late.
pub(crate) fn brings_late(root: &Node) -> bool {
    root.all().iter().any(|node| match node {
        Node::Fallback { first, fallback, .. } => {
            uses_thread(first) && fallback.all().iter().any(|node| matches!(node, Node::Queue { .. }))
        }
        _ => false,
    })
}

pub(crate) fn uses_thread(root: &Node) -> bool {
    root.all().iter().any(|node| match node {
        Node::Out { profile, .. } => profile.uses_thread(),
        Node::Batch { .. } => true,
        _ => false,
    })
}

/// What was sent in the child of a fork, and nothing else.
pub(crate) fn check_child(play: &Play<'_>, ids: &[u32], before: u64) -> Result<(), String> {
    let case = play.case;
    let state = state(play);
    let mut model = Model::new(&case.root, &case.sizes, &state);
    for id in ids {
        model.send(&case.sent(*id));
    }
    places(&model, &state, Some(CHILD))?;
    for ledger in play.built.ledgers.iter().flatten() {
        let stats = ledger.stats();
        if stats.queued != 0 {
            return Err(format!("{ledger:?}: still queued"));
        }
    }
    let root = play.built.ledgers[0].as_ref().unwrap().stats();
    let new = root.accepted() - before;
    if new < ids.len() as u64
        || new > ids.len() as u64 && !has_births(&case.root, 0) && state.gauges[model.gauge_of(0)].own == 0
    {
        return Err(format!("{} were sent, and {new} more accepted: {root}", ids.len()));
    }
    Ok(())
}
