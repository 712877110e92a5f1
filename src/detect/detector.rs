//! Scores events and sessions of one shard. Scoring reads the model; only [`Detector::close`] and verdicts write to it.

use super::calibration::Calibration;
use super::channel::{CHANNELS, Channel};
use super::event_score::{self, EventReading, Reading};
use super::family::{self, FAMILIES, Families};
use super::gate::Learning;
use super::length;
use super::sequence::{Asked, SessionCounts};
use super::session::{OpenSession, Step, StoredScores};
use super::volume::Likelihoods;
use super::{cadence, novelty, outcome};
use crate::baseline::sequence::{self as contexts, History, ORDER_0};
use crate::baseline::tools::END;
use crate::baseline::volume::Densities;
use crate::baseline::{AgentIndex, GroupIndex, Metric, Model, Observation, ToolId};
use crate::config::Detect;
use crate::stats::elementary;
use crate::stats::student_t::StudentT;

pub use super::gate::Closed;

/// Cap on what one quantity says about identity.
const IDENTITY_VALUE_CAP: f64 = 2.0;

/// `e^30`, cap on what one size may claim.
const VOLUME_RATIO_MAX: f64 = 1.068_647_458_152_446_3e13;

/// Events for which a session has room at first.
const SHORT_SESSION: usize = 8;

/// Raw scores by channel number.
type Raws = [Option<f64>; CHANNELS];

/// The detector of one shard.
#[derive(Debug, Clone)]
pub struct Detector {
    /// What was learned of behaviour.
    pub model: Model,
    /// What was learned of scores.
    pub calibration: Calibration,
    /// What may be learned.
    pub learning: Learning,
    frozen: bool,
    constants: Detect,
}

impl Detector {
    /// Knows nothing yet; `hash_key` seeds the hashes of names.
    #[must_use]
    pub fn new(constants: Detect, hash_key: u64) -> Self {
        Self {
            model: Model::new(hash_key),
            calibration: Calibration::default(),
            learning: Learning::new(constants.seal_after_sessions),
            frozen: false,
            constants,
        }
    }

    /// From now on no further session calibrates, so that no tail can catch up with new work: they are taken with their exponents.
    pub fn freeze(&mut self) {
        self.frozen = true;
    }

    /// What was learned before, under the settings of now.
    #[must_use]
    pub fn resumed(constants: Detect, model: Model, calibration: Calibration, learning: Learning, frozen: bool) -> Self {
        Self { model, calibration, learning: learning.under(constants.seal_after_sessions), frozen, constants }
    }

    /// Opens a session.
    #[must_use]
    pub fn open(&self, agent: AgentIndex, group: Option<GroupIndex>) -> OpenSession {
        let baseline = self.model.agent(agent);
        OpenSession {
            agent,
            group,
            stratum: baseline.stratum(),
            history: History::default(),
            tools: Vec::with_capacity(SHORT_SESSION),
            weights: baseline.weights.unwrap_or(self.model.population.weights.0),
            families: Families::new(self.usual_length(agent)),
            bytes_out: 0.0,
            observations: Vec::with_capacity(SHORT_SESSION),
            steps: Vec::with_capacity(SHORT_SESSION),
            gaps: cadence::Gaps::default(),
            p_value: 1.0,
        }
    }

    /// Scores an event against what was known before it, and moves its session on. `bytes_out` is as the event gave it.
    pub fn score(&self, session: &mut OpenSession, observation: &Observation, bytes_out: Option<u64>) -> EventReading {
        let (mut raws, mut identity) = ([None; CHANNELS], 0.0);
        session.families.step();
        self.read_sequence(session, observation.tool, &mut raws, &mut identity);
        if let Some(status) = observation.status() {
            let probability = outcome::probability(&self.model, session.agent, observation.tool, status);
            raws[Channel::Status as usize] = Some(outcome::raw(probability));
        }
        self.read_attributes(session, observation, &mut raws, &mut identity);
        self.read_values(session, observation, &mut raws, &mut identity);

        let (channels, ratios) = self.calibration.read(session.stratum, &raws);
        let mut reading = self.fuse(session, &channels, observation.writes);
        session.families.add_misuse(reading.evidence);
        session.families.add_volume(volume_ratio(&channels, &ratios));
        if session.group.is_some() {
            session.families.add_identity(identity);
        }
        session.families.set_persistence();
        self.set_length_and_total(session, bytes_out);

        session.steps.push(Step {
            scores: StoredScores::of(&reading),
            loud: loud(&channels),
            tool_is_new: !self.has_used(session.agent, observation.tool),
        });
        session.observations.push(*observation);
        session.history.push(observation.tool);
        session.count_tool(observation.tool);
        reading.session_p = self.session_p(session);
        session.p_value = reading.session_p;
        reading
    }

    /// Scores the end of the session. Call once, before [`Detector::close`].
    pub fn score_end(&self, session: &mut OpenSession) -> (EventReading, StoredScores) {
        let (mut raws, mut identity) = ([None; CHANNELS], 0.0);
        session.families.step();
        self.read_sequence(session, END, &mut raws, &mut identity);
        let mut reading = self.fuse(session, &self.calibration.read(session.stratum, &raws).0, false);
        reading.evidence *= self.constants.end_factor;
        session.families.add_misuse(reading.evidence);
        if session.group.is_some() {
            session.families.add_identity(identity);
        }
        reading.session_p = self.session_p(session);
        session.p_value = reading.session_p;
        let stored = StoredScores::of(&reading);
        (reading, stored)
    }

    /// p of a session so far: the smallest of the families' p-values, each divided by its share.
    #[must_use]
    pub fn session_p(&self, session: &OpenSession) -> f64 {
        self.family_ps(session).flatten().map(|(p, share)| p / share).fold(1.0, f64::min)
    }

    /// Each family's calibrated p (its tail tempered once frozen) and its share of the budget; `None` where the family is absent.
    pub fn family_ps<'s>(&'s self, session: &'s OpenSession) -> impl Iterator<Item = Option<(f64, f64)>> + 's {
        let mut present = [None; FAMILIES];
        for (family, maximum) in session.families.maxima() {
            let share = self.constants.family_shares[family as usize];
            let calibrated = self.calibration.family(family, session.stratum, maximum);
            let exponent = if self.frozen { self.constants.tail_exponents[family as usize] } else { 1.0 };
            let p = family::tempered(calibrated, share, exponent);
            present[family as usize] = Some((p, share));
        }
        present.into_iter()
    }

    /// What the experts are asked at the session's present place.
    #[must_use]
    pub fn asked<'a>(&'a self, session: &'a OpenSession) -> Asked<'a> {
        Asked {
            model: &self.model,
            agent: session.agent,
            group: session.group,
            contexts: session.history.contexts(),
            own: SessionCounts { tools: &session.tools, total: session.history.position },
        }
    }

    fn read_sequence(&self, session: &mut OpenSession, tool: ToolId, raws: &mut Raws, identity: &mut f64) {
        let asked = self.asked(session);
        let expected = asked.about(tool);
        let (agent, group) = expected.mix(&session.weights);
        let share = if session.group.is_some() { self.constants.group_share_sequence } else { 0.0 };
        let probability = (1.0 - share) * agent + share * group;
        let raw = elementary::ln(asked.misuse(tool, expected.population) / probability);
        raws[Channel::Sequence as usize] = Some(raw);
        let cap = self.constants.identity_cap;
        *identity += elementary::ln(group / agent).clamp(-cap, cap);
        if tool != END && session.history.position > 0 {
            session.families.persistence.feed_loop(probability, session.history.last[0] == tool);
        }
        expected.reweigh(&mut session.weights, &self.model.population.weights.0);
    }

    fn read_attributes(&self, session: &OpenSession, observation: &Observation, raws: &mut Raws, identity: &mut f64) {
        let cap = self.constants.identity_cap;
        for (attribute, value) in observation.attributes() {
            let share = self.constants.group_share_attributes;
            let expected = novelty::expected(&self.model, session.agent, session.group, attribute, observation.tool, value, share);
            raws[Channel::from(attribute) as usize] = Some(expected.raw);
            *identity += elementary::ln(expected.group / expected.agent).clamp(-cap, cap);
        }
    }

    fn read_values(&self, session: &mut OpenSession, observation: &Observation, raws: &mut Raws, identity: &mut f64) {
        let status = observation.status_or_ok();
        for (metric, value) in observation.values() {
            let (predictive, own) = self.model.predict(session.agent, session.group, metric, observation.tool, status);
            let Likelihoods { densities, raw, raised } = match metric {
                Metric::Gap => Likelihoods {
                    densities: Densities::of(value, &predictive, own),
                    raw: cadence::gap_raw(value, &predictive),
                    raised: None,
                },
                _ => Likelihoods::of(metric, value, &predictive, own),
            };
            raws[Channel::from(metric) as usize] = Some(raw);
            if let Some(raised) = raised {
                session.families.persistence.feed_value(metric, raised);
            }
            if own.is_some_and(|own| own.moments.n >= 5.0) {
                *identity += self.value_identity(session, metric, observation, value, densities.mixture);
            }
        }
    }

    /// What a quantity says for the group and against the agent.
    fn value_identity(&self, session: &OpenSession, metric: Metric, observation: &Observation, value: f64, own_density: f64) -> f64 {
        let key = crate::baseline::volume::cell_key(metric, observation.tool, observation.status_or_ok());
        let Some(cell) = session.group.and_then(|group| self.model.group(group).cells.get(&key)) else { return 0.0 };
        if cell.balanced.n < 10.0 {
            return 0.0;
        }
        let scale = cell.balanced.variance().max(0.01).sqrt();
        let group_density = StudentT::new(5.0).density((value - cell.balanced.mean) / scale) / scale;
        elementary::ln(group_density.max(1e-9) / own_density.max(1e-9)).clamp(-IDENTITY_VALUE_CAP, IDENTITY_VALUE_CAP)
    }

    fn set_length_and_total(&self, session: &mut OpenSession, bytes_out: Option<u64>) {
        let predictive = self.model.predict_events(session.agent, session.group);
        let totals = &self.model.agent(session.agent).totals;
        session.families.set_length(&length::Expected::of(session.events() + 1, &predictive, totals));
        #[expect(clippy::cast_precision_loss, reason = "the total is taken as a logarithm")]
        let bytes = bytes_out.unwrap_or(0) as f64;
        session.bytes_out += bytes;
        if session.bytes_out > 0.0 {
            let predictive = self.model.predict_bytes(session.agent, session.group);
            session.families.set_total(length::total_raw(session.bytes_out, &predictive));
        }
    }

    fn fuse(&self, session: &OpenSession, channels: &[Option<Reading>; CHANNELS], writes: bool) -> EventReading {
        let joint = event_score::joint(channels, writes);
        let joint_p = self.calibration.joint(session.stratum, joint);
        let mean = event_score::mean(channels);
        let weight = self.constants.joint_weight;
        let evidence = weight * crate::stats::evidence::e_value(joint_p) + (1.0 - weight) * mean;
        EventReading { channels: *channels, joint, joint_p, mean, evidence, session_p: 1.0 }
    }

    fn has_used(&self, agent: AgentIndex, tool: ToolId) -> bool {
        let counts = &self.model.agent(agent).counts.sequence;
        contexts::count(counts, History::default().contexts()[ORDER_0], tool) > 0
    }

    fn usual_length(&self, agent: AgentIndex) -> f64 {
        let own = &self.model.agent(agent).totals.events.moments;
        let population = &self.model.population.events.balanced;
        if own.n >= 3.0 {
            elementary::exp(own.mean).clamp(3.0, 64.0)
        } else if population.n >= 1.0 {
            elementary::exp(population.mean).clamp(3.0, 64.0)
        } else {
            8.0
        }
    }
}

/// Weighted mean over the sizes of `e^raw`, as far as their p-values bear it out; 1 without any size. `ratios` are `e^raw` by channel.
fn volume_ratio(channels: &[Option<Reading>; CHANNELS], ratios: &[f64; CHANNELS]) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for (metric, weight) in [(Metric::BytesOut, 0.6), (Metric::BytesIn, 0.2), (Metric::Duration, 0.2)] {
        let channel = Channel::from(metric) as usize;
        if let Some(reading) = &channels[channel] {
            sum += weight * ratios[channel].min(VOLUME_RATIO_MAX).min(1.0 / reading.p);
            weights += weight;
        }
    }
    if weights > 0.0 { sum / weights } else { 1.0 }
}

fn loud(channels: &[Option<Reading>; CHANNELS]) -> u16 {
    event_score::present(channels).filter(|(_, reading)| reading.is_loud()).fold(0, |mask, (channel, _)| mask | 1 << channel as u16)
}
