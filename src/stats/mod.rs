//! Estimators without domain: back-off counts, moments, Student's t, calibration, e-values. The caller brings the time.

pub mod calibrator;
pub mod canonical;
pub mod count_node;
pub mod elementary;
pub mod evidence;
pub mod hash;
pub mod lanes;
pub mod moments;
pub mod prefetch;
pub mod sorted;
pub mod student_t;
pub mod table;
