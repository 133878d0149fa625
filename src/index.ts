/** hitpath: a native-accelerated cache for the hot path of machine-learning services. */
export type { Bus } from './coherence/bus.js'
export { loadConfig } from './config/load-config.js'
export type { HitpathConfig } from './config/types.js'
export { type Duration, parseDuration } from './duration.js'
export { HitpathError, type HitpathErrorCode } from './errors.js'
export { digest } from './key/digest.js'
export { NdArray, type NdArrayLike, type TypedArray } from './key/ndarray.js'
export { PreparedKey } from './key/prepared.js'
export type { IteratedKey } from './l1/base-cache.js'
export type { CacheKey, Clock } from './l1/engine.js'
export { LocalCache, type LocalCacheOptions, type RemovalReason } from './l1/local-cache.js'
export type { SetOptions } from './l1/options.js'
export type { Pinned } from './l1/pins.js'
export type { Scope } from './l1/scope.js'
export {
  type AttachOptions,
  type RowOptions,
  SharedCache,
  type SharedCacheHandle,
} from './l1/shared-cache.js'
export type { SharedCacheOptions } from './l1/shared-options.js'
export type {
  RestoreOptions,
  RestoreResult,
  SaveOptions,
  SaveResult,
  SnapshotProgress,
} from './l1/snapshot-options.js'
export type { CacheStats } from './l1/stats.js'
export { RedisStore } from './l2/redis-store.js'
export type { L2Store } from './l2/store.js'
export type { Finding, FindingCode, Health, Severity } from './observe/health.js'
export type { HeavyHitter } from './observe/heavy-hitters.js'
export { Histogram, type LatencySummary } from './observe/histogram.js'
export { Monitor, type MonitorOptions, type MonitorStats, type WatchOptions } from './observe/monitor.js'
export {
  type OpenTelemetryMeter,
  type OpenTelemetryOptions,
  registerOpenTelemetry,
} from './observe/opentelemetry.js'
export { type PrometheusOptions, type PrometheusRegistry, registerPrometheus } from './observe/prometheus.js'
export type { Counts, Latencies, Levels, Monitored, Reading } from './observe/reading.js'
export type { CacheReport } from './observe/report.js'
export { AdaptiveTtl, type AdaptiveTtlOptions, type AdaptiveTtlStats } from './serving/adaptive-ttl.js'
export {
  CachedFeatureExtractor,
  type CachedFeatureExtractorOptions,
  type ExtractContext,
  type ExtractOptions,
  type FeatureExtractorStats,
  type Features,
  type TieredExtractOptions,
  type TieredFeatureExtractor,
  type TieredFeatureExtractorOptions,
} from './serving/cached-feature-extractor.js'
export { DependencyGraph, type DependencyRules } from './serving/events/dependency-graph.js'
export { EventInvalidator } from './serving/events/event-invalidator.js'
export type { EventFeed } from './serving/events/feed.js'
export type { ConsumeOptions } from './serving/events/iterable-feed.js'
export {
  type MarketEvent,
  MarketEventInvalidator,
  type MarketEventInvalidatorOptions,
} from './serving/events/market-event-invalidator.js'
export type { EventInvalidatorOptions, InvalidatorOptions } from './serving/events/options.js'
export type { SubscribeOptions } from './serving/events/pubsub-feed.js'
export type { EventInvalidatorStats } from './serving/events/stats.js'
export type { FollowOptions } from './serving/events/stream-feed.js'
export type { InvalidatedCache } from './serving/events/targets.js'
export { ModelCache } from './serving/model-cache.js'
export type { ModelLease } from './serving/model-cache-lease.js'
export type {
  LeaseOptions,
  ModelCacheOptions,
  ModelCacheStats,
  ModelEvent,
  RetireReason,
} from './serving/model-cache-options.js'
export type { LoadContext, LoadModel } from './serving/model-cache-request.js'
export { type OnnxModelOptions, type OnnxSession, onnxModel } from './serving/onnx-model.js'
export { TRADING_TYPES } from './serving/policies.js'
export { PredictionCache, type PredictionStats } from './serving/prediction-cache.js'
export { PredictionError } from './serving/prediction-error.js'
export type {
  AuditOptions,
  AuditReport,
  ModelContext,
  ModelRows,
  PredictionCacheOptions,
  PredictionModel,
  PredictOptions,
} from './serving/prediction-options.js'
export {
  TypedCaches,
  type TypedCachesOptions,
  type TypeOptions,
  type TypeTable,
} from './serving/typed-caches.js'
export {
  type WarmableLocal,
  type WarmableTiered,
  type WarmFromStoreOptions,
  type WarmKeysOptions,
  type WarmLoader,
  type WarmProgress,
  type WarmResult,
  warmFromStore,
  warmKeys,
} from './serving/warming.js'
export type { DenseWindow } from './serving/window-snapshot.js'
export type { ManyFactory } from './tiered/batches.js'
export type { FactoryContext, ManyContext } from './tiered/context.js'
export type { TieredEvent, TieredEvents } from './tiered/events.js'
// Observing
export type {
  ExplainedEntry,
  ExplainedL1,
  ExplainedL2,
  ExplainedTag,
  Explanation,
} from './tiered/explanation.js'
export type { FirstTier } from './tiered/first-tier.js'
export type { Factory } from './tiered/loader.js'
export type {
  CallOptions,
  LoadOptions,
  PolicyOptions,
  TieredCacheOptions,
  WriteOptions,
} from './tiered/options.js'
export type { TieredStats } from './tiered/stats.js'
export { TieredCache } from './tiered/tiered-cache.js'
export type { DeleteResult, PatternResult, WriteResult } from './tiered/writer.js'
