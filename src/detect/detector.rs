//! Scores events and sessions of one shard. Scoring reads the model; only [`Detector::close`] and verdicts write to it.

use super::calibration::{Calibration, Measured};
use super::channel::Channel;
use super::event_score::{self, EventReading, PLACES, Readings};
use super::family::{self, FAMILIES, Families};
use super::gate::Learning;
use super::length;
use super::persistence::loop_ratio;
use super::ratios::Ratios;
use super::sequence::{Asked, SessionCounts};
use super::session::{OpenSession, Step, StoredScores};
use super::spare_lists::{Lists, SpareLists};
use super::volume::{Compared, Likelihoods};
use super::{cadence, novelty, outcome};
use crate::baseline::ahead::Stage;
use crate::baseline::sequence::{self as contexts, History, ORDER_0};
use crate::baseline::tools::END;
use crate::baseline::volume::Densities;
use crate::baseline::{AgentIndex, GroupIndex, Metric, Model, Observation, ToolId};
use crate::config::Detect;
use crate::stats::elementary;

pub use super::gate::Closed;

/// `e^30`, cap on what one size may claim.
const VOLUME_RATIO_MAX: f64 = 1.068_647_458_152_446_3e13;

/// The detector of one shard.
#[derive(Debug, Clone)]
pub struct Detector {
    /// What was learned of behaviour.
    pub model: Model,
    /// What was learned of scores.
    pub calibration: Calibration,
    /// What may be learned.
    pub learning: Learning,
    pub(super) spare: SpareLists,
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
            spare: SpareLists::default(),
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
        let learning = learning.under(constants.seal_after_sessions);
        Self { model, calibration, learning, spare: SpareLists::default(), frozen, constants }
    }

    /// Opens a session.
    #[must_use]
    pub fn open(&mut self, agent: AgentIndex, group: Option<GroupIndex>) -> OpenSession {
        let Lists { tools, observations, steps } = self.spare.take();
        let baseline = self.model.agent(agent);
        OpenSession {
            agent,
            group,
            stratum: baseline.stratum(),
            history: History::default(),
            tools,
            weights: baseline.weights.unwrap_or(self.model.population.weights.0),
            families: Families::new(self.usual_length(agent)),
            bytes_out: 0.0,
            observations,
            steps,
            gaps: cadence::Gaps::default(),
            p_value: 1.0,
        }
    }

    /// Asks for what scoring the session's next event will need first: a hint, for as soon as the session is known.
    pub fn ask_for_next(&self, session: &OpenSession) {
        self.model.agent(session.agent).ask_for_next(&session.history, Stage::Places);
    }

    /// Scores an event against what was known before it, and moves its session on. `bytes_out` is as the event gave it.
    pub fn score(&self, session: &mut OpenSession, observation: &Observation, bytes_out: Option<u64>) -> EventReading {
        let baseline = self.model.agent(session.agent);
        baseline.ask_for_next(&session.history, Stage::Values);
        baseline.ask_for_rest(observation, Stage::Places);
        let mut ratios = Ratios::default();
        session.families.step();
        self.read_sequence(session, observation.tool, &mut ratios);
        baseline.ask_for_rest(observation, Stage::Values);
        if let Some(status) = observation.status() {
            let probability = outcome::probability(&self.model, session.agent, observation.tool, status);
            ratios.set_channel(Channel::Status, outcome::ratio(probability));
        }
        self.read_attributes(session, observation, &mut ratios);
        self.read_values(session, observation, &mut ratios);

        let logarithms = ratios.logarithms();
        let (present, raws) = logarithms.raws();
        let measured = self.calibration.read(session.stratum, present, raws);
        let mut reading = self.fuse(session, &measured, observation.writes);
        logarithms.feed_persistence(&mut session.families);
        if session.group.is_some() {
            session.families.add_identity(logarithms.identity(self.constants.identity_cap));
        }
        let length = self.length_ratio(session);
        let total = self.total_ratio(session, bytes_out);
        session.families.observe(reading.evidence, volume_ratio(&reading.channels, &measured.ratios), length, total);

        session.steps.push(Step {
            scores: StoredScores::of(&reading, measured.bins),
            loud: reading.channels.loud(),
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
        let mut ratios = Ratios::default();
        session.families.step();
        self.read_sequence(session, END, &mut ratios);
        let logarithms = ratios.logarithms();
        let (present, raws) = logarithms.raws();
        let measured = self.calibration.read(session.stratum, present, raws);
        let mut reading = self.fuse(session, &measured, false);
        reading.evidence *= self.constants.end_factor;
        session.families.add_misuse(reading.evidence);
        if session.group.is_some() {
            session.families.add_identity(logarithms.identity(self.constants.identity_cap));
        }
        reading.session_p = self.session_p(session);
        session.p_value = reading.session_p;
        let stored = StoredScores::of(&reading, measured.bins);
        (reading, stored)
    }

    /// p of a session so far: the smallest of the families' p-values, each divided by its share.
    #[must_use]
    pub fn session_p(&self, session: &OpenSession) -> f64 {
        self.family_ps(session).flatten().map(|(p, share)| p / share).fold(1.0, f64::min)
    }

    /// Each family's calibrated p (its tail tempered once frozen) and its share of the budget; `None` where the family is absent.
    pub fn family_ps<'s>(&'s self, session: &'s OpenSession) -> impl Iterator<Item = Option<(f64, f64)>> + 's {
        let Detect { family_shares, tail_exponents, .. } = &self.constants;
        let is_frozen = self.frozen;
        let maxima = session.families.all_maxima();
        let calibrated = self.calibration.families(session.stratum, maxima);
        (0..FAMILIES).map(move |family| {
            let share = family_shares[family];
            let exponent = if is_frozen { tail_exponents[family] } else { 1.0 };
            maxima[family].is_finite().then(|| (family::tempered(calibrated[family], share, exponent), share))
        })
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

    fn read_sequence(&self, session: &mut OpenSession, tool: ToolId, ratios: &mut Ratios) {
        let asked = self.asked(session);
        let expected = asked.about(tool);
        let (agent, group) = expected.mix(&session.weights);
        let share = if session.group.is_some() { self.constants.group_share_sequence } else { 0.0 };
        let probability = (1.0 - share) * agent + share * group;
        ratios.set_channel(Channel::Sequence, asked.misuse(tool, expected.population) / probability);
        ratios.set_tool_identity(group / agent);
        if tool != END && session.history.position > 0 {
            ratios.set_loop(loop_ratio(probability, session.history.last[0] == tool));
        }
        expected.reweigh(&mut session.weights, &self.model.population.weights.0);
    }

    fn read_attributes(&self, session: &OpenSession, observation: &Observation, ratios: &mut Ratios) {
        for (attribute, value) in observation.attributes() {
            let share = self.constants.group_share_attributes;
            let expected = novelty::expected(&self.model, session.agent, session.group, attribute, observation.tool, value, share);
            ratios.set_channel(Channel::from(attribute), expected.ratio);
            ratios.set_attribute_identity(attribute, expected.group / expected.agent);
        }
    }

    fn read_values(&self, session: &OpenSession, observation: &Observation, ratios: &mut Ratios) {
        let status = observation.status_or_ok();
        let mut compared = Compared::default();
        for (metric, value) in observation.values() {
            let (predictive, own, of_group) = self.model.predict(session.agent, session.group, metric, observation.tool, status);
            let Likelihoods { densities, ratio, raised } = match metric {
                Metric::Gap => Likelihoods {
                    densities: Densities::of(value, &predictive, own),
                    ratio: cadence::gap_ratio(value, &predictive),
                    raised: None,
                },
                _ => Likelihoods::of(metric, value, &predictive, own),
            };
            ratios.set_channel(Channel::from(metric), ratio);
            if let Some(raised) = raised {
                ratios.set_raised(metric, raised);
            }
            if own.is_some_and(|own| own.moments.n >= 5.0)
                && let Some(cell) = of_group
                && cell.balanced.n >= 10.0
            {
                compared.add(metric, value, &cell.balanced, densities.mixture);
            }
        }
        compared.tell(ratios);
    }

    fn length_ratio(&self, session: &OpenSession) -> f64 {
        let predictive = self.model.predict_events(session.agent, session.group);
        length::Expected::of(session.events() + 1, &predictive, &self.model.agent(session.agent).totals).ratio()
    }

    fn total_ratio(&self, session: &mut OpenSession, bytes_out: Option<u64>) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "the total is taken as a logarithm")]
        let bytes = bytes_out.unwrap_or(0) as f64;
        session.bytes_out += bytes;
        (session.bytes_out > 0.0).then(|| length::total_ratio(session.bytes_out, &self.model.predict_bytes(session.agent, session.group)))
    }

    fn fuse(&self, session: &OpenSession, measured: &Measured, writes: bool) -> EventReading {
        let channels = measured.readings;
        let joint = event_score::joint(channels.present, &measured.logarithms, writes);
        let joint_p = self.calibration.joint(session.stratum, joint);
        let mean = event_score::mean(&channels);
        let weight = self.constants.joint_weight;
        let evidence = weight * crate::stats::evidence::e_value(joint_p) + (1.0 - weight) * mean;
        EventReading { channels, joint, joint_p, mean, evidence, session_p: 1.0 }
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
fn volume_ratio(readings: &Readings, ratios: &[f64; PLACES]) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for (channel, weight) in [(Channel::BytesOut, 0.6), (Channel::BytesIn, 0.2), (Channel::Duration, 0.2)] {
        if let Some(reading) = readings.get(channel) {
            sum += weight * ratios[channel as usize].min(VOLUME_RATIO_MAX).min(1.0 / reading.p);
            weights += weight;
        }
    }
    if weights > 0.0 { sum / weights } else { 1.0 }
}
