// Package queueview is what the operator says of its queues over HTTP: internal/queueing answers with it, and the plugin reads it.
package queueview

import "time"

// Queue is the answer of /queues/QUEUE. /queues is a list of them, without Next.
type Queue struct {
	Name      string `json:"name"`
	Suspended bool   `json:"suspended"`
	Running   int    `json:"running"`
	Pending   int    `json:"pending"`
	// Delayed are the runs whose runAfter has not come. They are not pending.
	Delayed int        `json:"delayed"`
	Oldest  *time.Time `json:"oldestPending,omitempty"`
	// Next are the runs that wait, in the order of their positions: the first hundred.
	Next []Run `json:"next,omitempty"`
}

// Run is a run that waits: the answer of /queues/QUEUE/NAMESPACE/RUN.
type Run struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Position is 1 for the run that is next; 0 for a run that is not in line yet.
	Position int    `json:"position"`
	Reason   string `json:"reason"`
	Message  string `json:"message"`
}
