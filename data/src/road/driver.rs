//! A car and the human who drives it.
//!
//! The car is a bicycle model without under- or oversteer: in a steady turn its yaw rate is
//! `speed * tan(steering / ratio) / wheelbase`, reached with a short lag. The driver aims at a point ahead (pure pursuit),
//! reacts late, corrects in small steps rather than steadily, wanders in the lane and slows for curves.

use super::noise::{Dice, wave};
use super::style::Style;
use super::track::Track;

/// Distance between the axles in metres.
pub const WHEELBASE_M: f64 = 2.8;
/// Angle of the steering wheel divided by that of the front wheels.
pub const STEERING_RATIO: f64 = 15.0;
/// The camera's distance ahead of the rear axle in metres.
pub const CAMERA_AHEAD_M: f64 = 1.6;

/// Time step of the simulation in seconds.
const DT: f64 = 0.01;
/// Time driven before the first frame, so that it finds the car rolling.
const WARM_UP_S: f64 = 4.0;
/// Where the warm-up begins.
const START_M: f64 = 30.0;
/// The driver's reaction time, in steps.
const REACTION_STEPS: usize = 16;
/// How quickly the yaw rate follows the front wheels, seconds.
const YAW_LAG_S: f64 = 0.12;
/// How quickly arms follow intentions, 1/s (critically damped).
const ARMS_RATE: f64 = 9.0;
/// Fastest turn of the wheel, rad/s.
const ARMS_SPEED_LIMIT: f64 = 5.0;

/// The car at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CarState {
    /// Rear axle, metres east.
    pub x: f64,
    /// Rear axle, metres north.
    pub y: f64,
    /// Direction, radians counter-clockwise from east.
    pub heading: f64,
    /// Rear axle's distance along the road's centre line.
    pub s: f64,
    /// Rear axle's distance to the left of it.
    pub left: f64,
    /// Metres a second.
    pub speed: f64,
    /// Radians a second, positive to the left.
    pub yaw_rate: f64,
    /// Angle of the steering wheel in radians, positive to the left: the label.
    pub steering_rad: f64,
    /// Lean of the body to its right in left-hand curves, radians, relative to the road.
    pub roll: f64,
    /// Dip of the nose when braking, radians, relative to the road.
    pub dip: f64,
}

impl CarState {
    fn mix(&self, other: &Self, t: f64) -> Self {
        let m = |a: f64, b: f64| a + (b - a) * t;
        Self {
            x: m(self.x, other.x),
            y: m(self.y, other.y),
            heading: m(self.heading, other.heading),
            s: m(self.s, other.s),
            left: m(self.left, other.left),
            speed: m(self.speed, other.speed),
            yaw_rate: m(self.yaw_rate, other.yaw_rate),
            steering_rad: m(self.steering_rad, other.steering_rad),
            roll: m(self.roll, other.roll),
            dip: m(self.dip, other.dip),
        }
    }
}

/// Drives along `track` and returns the state at each of `times_s` (rising, from 0).
pub fn drive(seed: u64, style: &Style, track: &Track, times_s: impl Iterator<Item = f64>) -> Vec<CarState> {
    let mut driver = Driver::new(seed, style, track);
    let warm_up = (WARM_UP_S / DT).round() as usize;
    for _ in 0..warm_up {
        driver.step();
    }
    let mut steps = 0_usize;
    let mut before = driver.car;
    let mut states = Vec::new();
    for time_s in times_s {
        let due = time_s / DT;
        // `before` is the state at step `steps - 1`, `driver.car` that at step `steps`.
        while (steps as f64) < due {
            before = driver.car;
            driver.step();
            steps += 1;
        }
        states.push(if steps == 0 {
            driver.car
        } else {
            before.mix(&driver.car, (due - (steps - 1) as f64).clamp(0.0, 1.0))
        });
    }
    states
}

struct Driver<'a> {
    seed: u64,
    style: &'a Style,
    track: &'a Track,
    car: CarState,
    step: usize,
    dice: Dice,
    /// Angles that the driver found right, oldest first; the oldest is the one acted upon.
    intentions: [f64; REACTION_STEPS],
    /// The angle the arms are moving to.
    held: f64,
    next_look_s: f64,
    arms_speed: f64,
    acceleration: f64,
    roll_speed: f64,
}

impl<'a> Driver<'a> {
    fn new(seed: u64, style: &'a Style, track: &'a Track) -> Self {
        let start = track.at(START_M);
        let left = f64::from(style.lane_centre_m());
        let speed = f64::from(style.cruise_speed);
        let car = CarState {
            x: start.x - left * libm::sin(start.heading),
            y: start.y + left * libm::cos(start.heading),
            heading: start.heading,
            s: START_M,
            left,
            speed,
            ..CarState::default()
        };
        Self {
            seed,
            style,
            track,
            car,
            step: 0,
            dice: Dice::new(seed, 0x6472_6976, 0),
            intentions: [0.0; REACTION_STEPS],
            held: 0.0,
            next_look_s: 0.0,
            arms_speed: 0.0,
            acceleration: 0.0,
            roll_speed: 0.0,
        }
    }

    fn step(&mut self) {
        self.step += 1;
        self.steer();
        self.accelerate();
        self.move_car();
    }

    fn time_s(&self) -> f64 {
        self.step as f64 * DT
    }

    /// The wheel angle that leads through the point aimed at: the circle through it and the rear axle, tangent to the
    /// car's direction, has curvature `2 sin(alpha) / distance`.
    fn right_angle(&self) -> f64 {
        let car = &self.car;
        let ahead = (car.speed * 1.05).max(7.0);
        let aim = self.track.at(car.s + ahead);
        let wander = 0.24 * f64::from(wave(self.seed, 0x7761_6e64, self.time_s() / 4.5))
            + 0.10 * f64::from(wave(self.seed, 0x7765_6176, self.time_s() / 1.7));
        let left = f64::from(self.style.lane_centre_m()) + wander;
        let dx = aim.x - left * libm::sin(aim.heading) - car.x;
        let dy = aim.y + left * libm::cos(aim.heading) - car.y;
        let (sin, cos) = (libm::sin(car.heading), libm::cos(car.heading));
        let to_left = dy * cos - dx * sin;
        let curvature = 2.0 * to_left / (dx * dx + dy * dy);
        STEERING_RATIO * libm::atan(WHEELBASE_M * curvature)
    }

    /// Looks, waits the reaction time, decides on a new angle only when the old one is off by enough, and moves the arms.
    fn steer(&mut self) {
        let slot = self.step % REACTION_STEPS;
        let right = self.right_angle();
        let seen = std::mem::replace(&mut self.intentions[slot], right);
        let error = seen - self.held;
        let tolerance = 0.012 + 0.05 * seen.abs();
        if error.abs() > tolerance || self.time_s() >= self.next_look_s {
            let clumsiness = 1.0 + 0.07 * f64::from(self.dice.normal());
            self.held += error * clumsiness;
            self.next_look_s = self.time_s() + f64::from(self.dice.range(0.25, 0.8));
        }
        let tremor = 0.004 * f64::from(wave(self.seed, 0x7472_656d, self.time_s() * 3.0));
        let pull = ARMS_RATE * ARMS_RATE * (self.held + tremor - self.car.steering_rad);
        self.arms_speed += DT * (pull - 2.0 * ARMS_RATE * self.arms_speed);
        self.arms_speed = self.arms_speed.clamp(-ARMS_SPEED_LIMIT, ARMS_SPEED_LIMIT);
        self.car.steering_rad += DT * self.arms_speed;
    }

    /// Cruises, and brakes early enough for the curves ahead.
    fn accelerate(&mut self) {
        if self.step.is_multiple_of(5) {
            let mood = 1.0 + 0.07 * f64::from(wave(self.seed, 0x6d6f_6f64, self.time_s() / 11.0));
            let mut wanted = f64::from(self.style.cruise_speed) * mood;
            for k in 0..8 {
                let ahead = f64::from(k) * 8.0;
                let curvature = self.track.at(self.car.s + ahead).curvature.abs().max(1e-4);
                let in_curve = (f64::from(self.style.comfort_acceleration) / curvature).sqrt();
                wanted = wanted.min((in_curve * in_curve + 2.0 * 1.5 * ahead).sqrt());
            }
            let target = (0.6 * (wanted - self.car.speed)).clamp(-3.0, 1.3);
            self.acceleration += 0.15 * (target - self.acceleration);
        }
        self.car.speed = (self.car.speed + DT * self.acceleration).max(3.0);
    }

    fn move_car(&mut self) {
        let car = &mut self.car;
        let steady = car.speed * libm::tan(car.steering_rad / STEERING_RATIO) / WHEELBASE_M;
        car.yaw_rate += DT / YAW_LAG_S * (steady - car.yaw_rate);
        let middle = car.heading + 0.5 * DT * car.yaw_rate;
        car.x += DT * car.speed * libm::cos(middle);
        car.y += DT * car.speed * libm::sin(middle);
        car.heading += DT * car.yaw_rate;
        (car.s, car.left) = self.track.locate(car.x, car.y, car.s + DT * car.speed);

        // The body on its springs: 0.009 rad of lean and 0.006 rad of dip for each m/s^2, at about 1.3 Hz.
        let lean = 0.009 * car.speed * car.yaw_rate;
        self.roll_speed += DT * (64.0 * (lean - car.roll) - 9.0 * self.roll_speed);
        car.roll += DT * self.roll_speed;
        car.dip += DT * 4.0 * (-0.006 * self.acceleration - car.dip);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(seed: u64, seconds: f64, rate_hz: f64) -> Vec<CarState> {
        let style = Style::new(seed);
        let track = Track::new(seed, &style, seconds * 30.0 + 200.0);
        drive(seed, &style, &track, (0..(seconds * rate_hz) as usize).map(|i| i as f64 / rate_hz))
    }

    /// Mean and standard deviation.
    fn spread(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
        let count = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / count;
        (mean, (values.map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt())
    }

    #[test]
    fn the_car_stays_in_its_lane_at_a_sane_speed() {
        for seed in 0..12 {
            let style = Style::new(seed);
            for state in states(seed, 120.0, 20.0) {
                let off = state.left - f64::from(style.lane_centre_m());
                assert!(off.abs() < 1.1, "seed {seed} at {} m: {off} m off the lane's centre", state.s);
                assert!((6.0..24.0).contains(&state.speed), "seed {seed}: {} m/s", state.speed);
            }
        }
    }

    #[test]
    fn angles_are_those_of_a_real_drive() {
        let all: Vec<CarState> = (0..12).flat_map(|seed| states(seed, 120.0, 20.0)).collect();
        let (mean, deviation) = spread(all.iter().map(|s| s.steering_rad));
        let (speed, _) = spread(all.iter().map(|s| s.speed));
        let largest = all.iter().map(|s| s.steering_rad.abs()).fold(0.0, f64::max);
        assert!(mean.abs() < 0.05 && (0.14..0.22).contains(&deviation), "mean {mean}, deviation {deviation}");
        assert!((0.4..0.95).contains(&largest), "largest {largest}");
        assert!((13.0..17.0).contains(&speed), "speed {speed}");
    }

    /// The label is the angle that the vehicle model turned by: its curvature explains the path driven.
    #[test]
    fn the_angle_explains_the_path() {
        let states = states(4, 60.0, 100.0);
        let mut worst: f64 = 0.0;
        for w in states.windows(3) {
            let turned = (w[2].heading - w[0].heading) / (2.0 * DT);
            assert!((turned - w[1].yaw_rate).abs() < 0.02, "{turned} {}", w[1].yaw_rate);
            let steady = w[1].speed * (w[1].steering_rad / STEERING_RATIO).tan() / WHEELBASE_M;
            let lag = (w[2].yaw_rate - w[0].yaw_rate) / (2.0 * DT) * YAW_LAG_S;
            worst = worst.max((steady - w[1].yaw_rate - lag).abs());
        }
        assert!(worst < 0.01, "{worst}");
    }

    #[test]
    fn the_rate_only_samples_the_same_drive() {
        let (slow, fast) = (states(2, 20.0, 10.0), states(2, 20.0, 40.0));
        for (i, state) in slow.iter().enumerate() {
            assert_eq!(*state, fast[4 * i]);
        }
        assert_eq!(states(2, 20.0, 20.0), states(2, 20.0, 20.0));
    }
}
