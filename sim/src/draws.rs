//! Owns what the world does by chance: decided by a seed, or given back as a trace tells it; recorded if wanted.
//!
//! What is no fault (latencies, durations, ids) is drawn elsewhere, so that leaving out a fault shifts nothing else.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Debug, Display, Write as _};

use swan_core::id::TaskName;
use swan_core::mesos::TaskId;
use swan_core::rng::Rng;

use crate::chance::{Asked, Draw, Event, Site};
use crate::streams;

/// Sites up to this one share one stream of chance; each later one has its own, so that a new one shifts none of them.
const LAST_SHARED: Site = Site::ClientLeaves;

/// Decides what happens by chance. What it has decided is over with [`Draws::end`].
#[derive(Clone, Debug)]
pub(crate) struct Draws {
    rng: Rng,
    /// By site, for those with a stream of their own.
    own: BTreeMap<Site, Rng>,
    seed: u64,
    /// What came true last.
    last: Site,
    now: u64,
    ended: bool,
    /// Opportunities at each site in this millisecond.
    tried: [u32; Site::COUNT],
    script: Option<Script>,
    record: Option<Vec<Event>>,
}

/// What a trace tells, by site and by client.
#[derive(Clone, Debug, Default)]
struct Script {
    draws: BTreeMap<Site, VecDeque<Draw>>,
    asks: BTreeMap<u32, VecDeque<Asked>>,
    /// The numbers of what came true last.
    with: BTreeMap<String, u64>,
}

impl Draws {
    /// `rng` decides, unless there is a `script`.
    pub(crate) fn new(rng: Rng, script: Option<&[Event]>, record: bool) -> Self {
        let script = script.map(Script::new);
        let (seed, record) = (rng.clone().next(), record.then(Vec::new));
        let (own, last, tried) = (BTreeMap::new(), LAST_SHARED, [0; Site::COUNT]);
        Self { rng, own, seed, last, now: 0, ended: false, tried, script, record }
    }

    /// The stream that decides about a site.
    fn stream(&mut self, site: Site) -> &mut Rng {
        if site <= LAST_SHARED {
            return &mut self.rng;
        }
        let seed = self.seed;
        self.own.entry(site).or_insert_with(|| streams::named(seed, &format!("{site:?}")))
    }

    /// Time has passed.
    pub(crate) const fn pass(&mut self, now: u64) {
        if now > self.now {
            self.now = now;
            self.tried = [0; Site::COUNT];
        }
    }

    /// Nothing happens by chance any more.
    pub(crate) const fn end(&mut self) {
        self.ended = true;
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.ended
    }

    /// What came true, if it was to be recorded.
    pub(crate) fn recorded(&mut self) -> Vec<Event> {
        self.record.take().unwrap_or_default()
    }

    /// Whether it happens here, to what `of` names, with a share of `ppm`.
    pub(crate) fn chance(&mut self, site: Site, of: &dyn Display, ppm: u32) -> bool {
        self.comes_true(site, of, |rng| rng.chance(ppm))
    }

    /// Whether it happens here, to what `of` names; `by_chance` says so if no trace does.
    pub(crate) fn comes_true(
        &mut self,
        site: Site,
        of: &dyn Display,
        by_chance: impl FnOnce(&mut Rng) -> bool,
    ) -> bool {
        if self.ended {
            return false;
        }
        let nth = self.tried[site as usize];
        self.tried[site as usize] += 1;
        let happens = match &mut self.script {
            Some(script) => script.take(site, (self.now, nth), of),
            None => by_chance(self.stream(site)),
        };
        if happens {
            self.last = site;
            self.note(site, nth, of);
        }
        happens
    }

    /// A number of what may come true later; means nothing if a trace tells that.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        self.rng.below(bound)
    }

    /// When something happens next that has a time of its own, `every` so many ms on average.
    pub(crate) fn next_at(&mut self, site: Site, every: u64) -> Option<u64> {
        match &self.script {
            Some(script) => Some(script.draws.get(&site)?.front()?.at.max(self.now)),
            None => (every > 0).then(|| self.now + self.stream(site).between(1, 2 * every)),
        }
    }

    /// What has a time of its own happens now.
    pub(crate) fn begin(&mut self, site: Site) {
        if let Some(script) = &mut self.script {
            let next = script.draws.get_mut(&site).and_then(VecDeque::pop_front);
            script.with = next.map(|draw| draw.with).unwrap_or_default();
        }
        self.last = site;
        self.note(site, 0, &"");
    }

    fn note(&mut self, site: Site, nth: u32, of: &dyn Display) {
        if let Some(record) = &mut self.record {
            let of = of.to_string();
            record.push(Event::Draw(Draw { at: self.now, site, nth, of, with: BTreeMap::new() }));
        }
    }

    /// A number of what came true last, in `low..=high`.
    pub(crate) fn number(&mut self, name: &str, low: u64, high: u64) -> u64 {
        let value = match &self.script {
            Some(script) => script.with.get(name).map_or(low, |&value| value.clamp(low, high.max(low))),
            None => self.stream(self.last).between(low, high),
        };
        self.keep(name, value);
        value
    }

    /// Something more that is so or not of what came true last, with a share of `ppm`.
    pub(crate) fn also(&mut self, name: &str, ppm: u32) -> bool {
        let value = match &self.script {
            Some(script) => script.with.get(name).is_some_and(|&value| value > 0),
            None => self.stream(self.last).chance(ppm),
        };
        self.keep(name, u64::from(value));
        value
    }

    /// One of `all`, of what came true last; `None` if that which a trace tells is not there.
    pub(crate) fn one_of(&mut self, name: &str, all: &[u64]) -> Option<u64> {
        let value = match &self.script {
            Some(script) => script.with.get(name).copied().filter(|value| all.contains(value))?,
            None if all.is_empty() => return None,
            None => all[self.stream(self.last).below(all.len() as u64) as usize],
        };
        self.keep(name, value);
        Some(value)
    }

    fn keep(&mut self, name: &str, value: u64) {
        if let Some(Event::Draw(draw)) = self.record.as_mut().and_then(|record| record.last_mut()) {
            draw.with.insert(name.to_owned(), value);
        }
    }

    /// Whether clients ask what a trace tells, instead of what they think of.
    pub(crate) const fn is_scripted(&self) -> bool {
        self.script.is_some()
    }

    /// When a trace lets a client ask next.
    pub(crate) fn next_ask_at(&self, client: u32) -> Option<u64> {
        Some(self.script.as_ref()?.asks.get(&client)?.front()?.at.max(self.now))
    }

    /// What a trace lets a client ask now.
    pub(crate) fn next_ask(&mut self, client: u32) -> Option<Asked> {
        let now = self.now;
        self.script.as_mut()?.asks.get_mut(&client)?.pop_front_if(|asked| asked.at <= now)
    }

    /// A client asks for something.
    pub(crate) fn note_ask(&mut self, asked: impl FnOnce() -> Asked) {
        if let Some(record) = &mut self.record {
            record.push(Event::Ask(asked()));
        }
    }
}

impl Script {
    fn new(events: &[Event]) -> Self {
        let mut script = Self::default();
        for event in events {
            match event.clone() {
                Event::Draw(draw) => script.draws.entry(draw.site).or_default().push_back(draw),
                Event::Ask(asked) => script.asks.entry(asked.client).or_default().push_back(asked),
            }
        }
        for draws in script.draws.values_mut() {
            draws.make_contiguous().sort_by_key(|draw| (draw.at, draw.nth));
        }
        for asks in script.asks.values_mut() {
            asks.make_contiguous().sort_by_key(|asked| asked.at);
        }
        script
    }

    /// Takes what is due here: it happens at the first opportunity of its kind that is not before its own. Where nothing
    /// was left out that is its own; otherwise it may be a little later.
    fn take(&mut self, site: Site, here: (u64, u32), of: &dyn Display) -> bool {
        let is_due = |draw: &Draw| (draw.at, draw.nth) <= here;
        let Some(draws) = self.draws.get_mut(&site).filter(|draws| draws.front().is_some_and(is_due)) else {
            return false;
        };
        let of = of.to_string();
        let found = draws.iter().take_while(|draw| is_due(draw)).position(|draw| draw.of == of);
        let taken = found.and_then(|at| draws.remove(at));
        if let Some(draw) = taken {
            self.with = draw.with;
            return true;
        }
        false
    }
}

/// The slot of a task, the same in every run: `APP/SLOT`.
#[derive(Clone, Copy)]
pub(crate) struct SlotOf<'a>(pub(crate) &'a TaskId);

impl Display for SlotOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match TaskName::parse(self.0.as_str()) {
            Some(name) => write!(f, "{}/{}", name.app, name.slot),
            None => Ok(()),
        }
    }
}

/// The name of a value's variant.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a>(pub(crate) &'a dyn Debug);

impl Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It ends with an error where the name ends.
        let _ = write!(FirstWord(f), "{:?}", self.0);
        Ok(())
    }
}

struct FirstWord<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for FirstWord<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
        self.0.write_str(&text[..end])?;
        if end < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(lines: &[(u64, u32, &str)]) -> Draws {
        let draw = |&(at, nth, of): &(u64, u32, &str)| {
            let (site, of, with) = (Site::CallIgnored, of.to_owned(), BTreeMap::from([("n".to_owned(), 7)]));
            Event::Draw(Draw { at, site, nth, of, with })
        };
        let events: Vec<Event> = lines.iter().map(draw).collect();
        Draws::new(Rng::new(0), Some(&events), true)
    }

    #[test]
    fn a_script_comes_true_at_its_moment_or_at_the_first_one_of_its_kind_after_it() {
        let mut draws = script(&[(5, 1, "Kill"), (5, 1, "Accept"), (9, 0, "Kill")]);
        let mut kill = |at| {
            draws.pass(at);
            draws.chance(Site::CallIgnored, &"Kill", 1_000_000)
        };
        assert!(!kill(4) && !kill(5), "too early, and the first at that time");
        assert!(kill(5) && !kill(8), "its own moment, once");
        assert!(kill(11), "late");
        draws.end();
        assert!(!draws.chance(Site::CallIgnored, &"Accept", 1_000_000), "it is over");
        let at = |event: &Event| match event {
            Event::Draw(draw) => (draw.at, draw.nth),
            Event::Ask(_) => unreachable!("nobody asks"),
        };
        assert_eq!(draws.recorded().iter().map(at).collect::<Vec<_>>(), [(5, 1), (11, 0)]);
    }

    #[test]
    fn numbers_of_a_script_stay_in_their_range() {
        let mut draws = script(&[(0, 0, "")]);
        assert!(draws.chance(Site::CallIgnored, &"", 0));
        assert_eq!((draws.number("n", 0, 9), draws.number("n", 8, 9), draws.number("n", 0, 3)), (7, 8, 3));
        assert_eq!((draws.number("m", 2, 9), draws.also("m", 1_000_000)), (2, false), "nothing is told");
        assert_eq!((draws.one_of("n", &[1, 7]), draws.one_of("n", &[1])), (Some(7), None));
    }

    #[test]
    fn names_are_short() {
        #[derive(Debug)]
        #[allow(dead_code)]
        enum Call {
            Kill { task: u32 },
        }
        assert_eq!(Named(&Call::Kill { task: 1 }).to_string(), "Kill");
        assert_eq!(SlotOf(&TaskId::from("0123456789ab.4.web.shop")).to_string(), "web.shop/4");
    }
}
