package show

import (
	"fmt"
	"io"
	"strings"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/queueview"
)

// Queue is a queue, as its object says, and as the operator says if it was asked.
type Queue struct {
	Name string
	// Object is the TestQueue; nil if there is none, or if it may not be seen.
	Object *v1alpha1.TestQueue
	// Live is what the operator says; nil if it was not asked.
	Live *queueview.Queue
}

// Queues writes a table of queues.
func (l Look) Queues(w io.Writer, queues []Queue, now time.Time) {
	rows := make([][]string, 0, len(queues))
	for _, q := range queues {
		rows = append(rows, q.row(now))
	}
	l.table(w, []string{"QUEUE", "RUNNING", "LIMIT", "PENDING", "DELAYED", "OLDEST", "PAUSED"}, rows, -1)
}

func (q Queue) row(now time.Time) []string {
	running, limit, pending, delayed, oldest, paused := "", "", "", "", "", ""
	if q.Object != nil {
		status := q.Object.Status
		running, pending = number(status.Running), number(status.Pending)
		if status.OldestPending != nil {
			oldest = ago(status.OldestPending.Time, now)
		}
		if limit = "none"; q.Object.Spec.MaxRunning > 0 {
			limit = fmt.Sprint(q.Object.Spec.MaxRunning)
		}
		paused = yes(q.Object.Spec.Suspend != nil && *q.Object.Spec.Suspend)
	}
	if q.Live != nil {
		running, pending, delayed = fmt.Sprint(q.Live.Running), fmt.Sprint(q.Live.Pending), fmt.Sprint(q.Live.Delayed)
		paused, oldest = yes(q.Live.Suspended), ""
		if q.Live.Oldest != nil {
			oldest = ago(*q.Live.Oldest, now)
		}
	}
	return []string{q.Name, running, limit, pending, delayed, oldest, paused}
}

func number(n *int32) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// Next writes the runs that are next in a queue.
func (l Look) Next(w io.Writer, waiting []queueview.Run) {
	rows := make([][]string, 0, len(waiting))
	for _, run := range waiting {
		rows = append(rows, []string{fmt.Sprint(run.Position), run.Namespace, run.Name, run.Reason, strings.TrimSpace(run.Message)})
	}
	l.table(w, []string{"POSITION", "NAMESPACE", "NAME", "REASON", "MESSAGE"}, rows, -1)
}
