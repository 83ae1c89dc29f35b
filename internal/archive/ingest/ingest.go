// Package ingest fills the archive. Push takes what the runners push while tests run. Watch stores what the API server says of TestRuns. What
// a pod without a complete push has printed is read from its kubelet.
//
// The blob comes first, and then the row that names it. So a row without a blob never exists. A blob without a row is garbage, which a
// Sweeper removes.
package ingest
