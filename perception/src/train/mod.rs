//! What is trained in front of the RNN, by candle's autograd: the feature layer over the frozen backbone, and the delta network
//! paper's CNN from scratch. The loops over drives and steps belong to the caller.

mod cnn;
mod layer;
mod pca;
mod ridge;
mod variables;

pub use cnn::TrainableCnn;
pub use layer::TrainableLayer;
pub use pca::Pca;
pub use ridge::SingleFrameHead;
pub use variables::OptimiserStep;
