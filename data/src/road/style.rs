//! Everything that a seed decides once for the whole drive: country, weather, light, road and traffic.

use super::noise::Dice;

/// Linear light, red green blue.
pub type Rgb = [f32; 3];

/// What grows beside the road.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Country {
    /// Green fields and broad-leaved trees.
    Meadow,
    /// Dry golden grass and dark oaks.
    GoldenHills,
    /// Broad-leaved trees in autumn colours.
    Autumn,
    /// Conifers.
    PineForest,
    /// Sand, stones and shrubs.
    Desert,
    /// Snow beside a cleared road.
    Winter,
}

/// Colours and measures of a country.
pub struct Land {
    /// The country in plain words.
    pub name: &'static str,
    /// Fresh and dry grass.
    pub grass: [Rgb; 2],
    /// Three crops.
    pub field: [Rgb; 3],
    /// Gravel beside the asphalt.
    pub gravel: Rgb,
    /// The nearest range of hills.
    pub hills: Rgb,
    /// Leaves of bushes.
    pub bush: Rgb,
    /// Blades of grass.
    pub tuft: Rgb,
    /// Height of the hillsides on a road without hills, metres.
    pub relief_m: f32,
    /// Factor on the density of trees.
    pub trees: f32,
    /// Shares of places that bear a bush and a tuft.
    pub bushes_and_tufts: [f32; 2],
}

impl Country {
    /// What the country looks like.
    #[rustfmt::skip]
    pub fn land(self) -> &'static Land {
        match self {
            Self::Meadow => &Land {
                name: "green fields",
                grass: [[0.085, 0.128, 0.036], [0.16, 0.18, 0.066]],
                field: [[0.10, 0.148, 0.045], [0.19, 0.20, 0.07], [0.29, 0.25, 0.10]],
                gravel: [0.26, 0.23, 0.18], hills: [0.05, 0.085, 0.03],
                bush: [0.065, 0.11, 0.025], tuft: [0.14, 0.20, 0.045],
                relief_m: 9.0, trees: 0.75, bushes_and_tufts: [0.22, 0.5],
            },
            Self::GoldenHills => &Land {
                name: "dry golden hills",
                grass: [[0.36, 0.27, 0.11], [0.24, 0.20, 0.08]],
                field: [[0.40, 0.30, 0.13], [0.33, 0.26, 0.11], [0.22, 0.20, 0.08]],
                gravel: [0.33, 0.26, 0.18], hills: [0.23, 0.18, 0.08],
                bush: [0.11, 0.11, 0.04], tuft: [0.42, 0.32, 0.13],
                relief_m: 15.0, trees: 0.6, bushes_and_tufts: [0.25, 0.75],
            },
            Self::Autumn => &Land {
                name: "autumn woods",
                grass: [[0.13, 0.15, 0.04], [0.25, 0.17, 0.05]],
                field: [[0.17, 0.16, 0.05], [0.26, 0.18, 0.07], [0.15, 0.10, 0.05]],
                gravel: [0.24, 0.19, 0.13], hills: [0.14, 0.085, 0.03],
                bush: [0.20, 0.12, 0.03], tuft: [0.24, 0.19, 0.06],
                relief_m: 15.0, trees: 1.0, bushes_and_tufts: [0.3, 0.5],
            },
            Self::PineForest => &Land {
                name: "pine forest",
                grass: [[0.065, 0.10, 0.03], [0.15, 0.13, 0.06]],
                field: [[0.06, 0.09, 0.03], [0.11, 0.11, 0.05], [0.10, 0.08, 0.05]],
                gravel: [0.22, 0.20, 0.18], hills: [0.03, 0.055, 0.03],
                bush: [0.05, 0.08, 0.025], tuft: [0.12, 0.15, 0.045],
                relief_m: 15.0, trees: 1.2, bushes_and_tufts: [0.25, 0.4],
            },
            Self::Desert => &Land {
                name: "desert",
                grass: [[0.43, 0.30, 0.18], [0.36, 0.27, 0.15]],
                field: [[0.45, 0.31, 0.19], [0.40, 0.27, 0.16], [0.34, 0.25, 0.14]],
                gravel: [0.42, 0.32, 0.22], hills: [0.30, 0.19, 0.11],
                bush: [0.17, 0.15, 0.075], tuft: [0.36, 0.28, 0.13],
                relief_m: 7.0, trees: 0.35, bushes_and_tufts: [0.7, 0.6],
            },
            Self::Winter => &Land {
                name: "snow beside a cleared road",
                grass: [[0.72, 0.74, 0.78], [0.55, 0.55, 0.52]],
                field: [[0.76, 0.78, 0.82], [0.70, 0.73, 0.78], [0.62, 0.64, 0.66]],
                gravel: [0.45, 0.44, 0.43], hills: [0.45, 0.47, 0.52],
                bush: [0.16, 0.12, 0.08], tuft: [0.42, 0.36, 0.26],
                relief_m: 15.0, trees: 0.9, bushes_and_tufts: [0.2, 0.15],
            },
        }
    }
}

/// The state of the sky.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Blue sky, a few clouds.
    Clear,
    /// Clouds whose shadows pass.
    Broken,
    /// Grey, no shadows.
    Overcast,
    /// Sight ends after a few hundred metres.
    Hazy,
    /// The sun low and warm.
    LowSun,
}

/// Lines along the middle of the road.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CentreLine {
    /// Two yellow lines.
    DoubleYellow,
    /// One dashed yellow line.
    DashedYellow,
    /// One dashed white line, solid in tight curves.
    DashedWhite,
    /// No line.
    None,
}

/// Everything that a seed decides once.
#[derive(Debug, Clone)]
pub struct Style {
    /// What grows beside the road.
    pub country: Country,
    /// The state of the sky.
    pub weather: Weather,
    /// Width of one of the two lanes.
    pub lane_m: f32,
    /// Asphalt outside the lanes, on each side.
    pub margin_m: f32,
    /// Gravel outside the asphalt.
    pub gravel_m: f32,
    /// Lines along the middle.
    pub centre_line: CentreLine,
    /// White lines at both edges.
    pub edge_lines: bool,
    /// Width of a line.
    pub line_m: f32,
    /// 0: freshly painted, 1: nearly gone.
    pub line_wear: f32,
    /// Reflectance of the asphalt.
    pub asphalt: Rgb,
    /// 0: smooth and new, 1: patched and cracked.
    pub asphalt_age: f32,
    /// Radius of the tightest curves.
    pub tightest_radius_m: f32,
    /// Longest straight.
    pub longest_straight_m: f32,
    /// Scale of the road's grade.
    pub hilliness: f32,
    /// Speed on straights, m/s.
    pub cruise_speed: f32,
    /// Sideways acceleration that the driver likes in curves, m/s^2.
    pub comfort_acceleration: f32,
    /// Oncoming cars per 100 m of road met.
    pub traffic: f32,
    /// Whether a car may drive ahead.
    pub leader: bool,
    /// 0: bare, 1: forest.
    pub woods: f32,
    /// Direction towards the sun, radians counter-clockwise from east.
    pub sun_azimuth: f32,
    /// Height of the sun above the horizon, radians.
    pub sun_elevation: f32,
    /// Distance after which contrast has fallen to 1/e.
    pub sight_m: f32,
    /// Telephone poles along the road.
    pub poles: bool,
    /// White posts along the road.
    pub posts: bool,
}

impl Style {
    /// What `seed` decides.
    pub fn new(seed: u64) -> Self {
        let dice = &mut Dice::new(seed, 0x7374_796c, 0);
        let country = [Country::Meadow, Country::GoldenHills, Country::Autumn, Country::PineForest]
            .into_iter()
            .cycle()
            .nth(dice.pick(4))
            .unwrap_or(Country::Meadow);
        let country = match dice.unit() {
            u if u < 0.10 => Country::Desert,
            u if u < 0.16 => Country::Winter,
            _ => country,
        };
        let weather = match dice.unit() {
            u if u < 0.30 => Weather::Clear,
            u if u < 0.55 => Weather::Broken,
            u if u < 0.70 => Weather::Overcast,
            u if u < 0.82 => Weather::Hazy,
            _ => Weather::LowSun,
        };
        let sun_elevation = match weather {
            Weather::LowSun => dice.range(0.16, 0.32),
            _ => dice.range(0.5, 1.05),
        };
        let sight_m = match weather {
            Weather::Hazy => dice.range(130.0, 260.0),
            Weather::Overcast => dice.range(400.0, 900.0),
            _ => dice.range(700.0, 1600.0),
        };
        let centre_line = match dice.unit() {
            u if u < 0.38 => CentreLine::DoubleYellow,
            u if u < 0.58 => CentreLine::DashedYellow,
            u if u < 0.92 => CentreLine::DashedWhite,
            _ => CentreLine::None,
        };
        let tone = dice.range(0.075, 0.17);
        let warmth = dice.range(-0.06, 0.08);
        let tightest_radius_m = dice.range(70.0, 105.0);
        Self {
            country,
            weather,
            lane_m: dice.range(3.0, 3.7),
            margin_m: dice.range(0.25, 0.9),
            gravel_m: dice.range(0.4, 1.5),
            centre_line,
            edge_lines: centre_line == CentreLine::None || dice.chance(0.8),
            line_m: dice.range(0.11, 0.16),
            line_wear: dice.unit() * dice.unit(),
            asphalt: [tone * (1.0 + warmth), tone, tone * (1.0 - warmth)],
            asphalt_age: dice.unit(),
            tightest_radius_m,
            longest_straight_m: dice.range(50.0, 150.0),
            hilliness: dice.range(0.012, 0.05),
            cruise_speed: dice.range(14.5, 18.5),
            comfort_acceleration: dice.range(2.3, 3.0),
            traffic: dice.range(0.05, 0.6),
            leader: dice.chance(0.4),
            woods: dice.range(0.25, 1.0),
            sun_azimuth: dice.range(0.0, std::f32::consts::TAU),
            sun_elevation,
            sight_m,
            poles: dice.chance(0.55),
            posts: dice.chance(0.6),
        }
    }

    /// Distance of our lane's centre to the left of the road's (negative: right-hand traffic).
    pub fn lane_centre_m(&self) -> f32 {
        -0.5 * self.lane_m
    }

    /// From the road's centre to the end of the asphalt.
    pub fn half_width_m(&self) -> f32 {
        self.lane_m + self.margin_m
    }

    /// Whether things throw shadows.
    pub fn has_shadows(&self) -> bool {
        !matches!(self.weather, Weather::Overcast)
    }

    /// The drive in plain words.
    pub fn describe(&self) -> String {
        let weather = match self.weather {
            Weather::Clear => "clear sky",
            Weather::Broken => "passing clouds",
            Weather::Overcast => "overcast",
            Weather::Hazy => "haze",
            Weather::LowSun => "low sun",
        };
        format!("{}, {weather}, two lanes of {:.1} m", self.country.land().name, self.lane_m)
    }
}
