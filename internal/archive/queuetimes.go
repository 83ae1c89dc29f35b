package archive

import (
	"context"
	"time"
)

// QueueTime is when a run waited and ran. Started and Ended are zero where that has not been.
type QueueTime struct {
	Queue                   string
	Created, Started, Ended time.Time
}

// The times of the runs of a namespace that were created since a time, and of those that were created before and have not finished. The limit
// bounds what is read, whatever queues they were in.
const (
	queueTimeColumns = "SELECT r.queue, r.created, r.started, r.finished, r.deleted FROM runs r WHERE r.namespace = $1 "
	listQueueTimes   = queueTimeColumns + "AND r.created >= $2 ORDER BY r.created DESC, r.uid DESC LIMIT $3"

	listQueueTimesBefore = queueTimeColumns + "AND r.created < $2 AND r.phase <> 'Finished' ORDER BY r.created DESC, r.uid DESC LIMIT $3"
)

// QueueTimes are the times of the runs of the namespaces that were created since then, or that have not finished: of each namespace the
// newest, and no more than most. whole says whether that are all. No namespaces means all.
func (s *Store) QueueTimes(ctx context.Context, namespaces []string, since time.Time, most int) (times []QueueTime, whole bool, err error) {
	if namespaces == nil {
		if namespaces, err = s.Namespaces(ctx); err != nil {
			return nil, false, err
		}
	}
	whole = true
	each := max(most/max(len(namespaces), 1), 1)
	for _, namespace := range namespaces {
		for _, statement := range []string{listQueueTimes, listQueueTimesBefore} {
			var found int
			err := s.list(ctx, statement, []any{namespace, microseconds(since), each}, func(scan scanner) error {
				var t QueueTime
				var created, started, finished, deleted int64
				err := scan(&t.Queue, &created, &started, &finished, &deleted)
				if finished == 0 {
					finished = deleted
				}
				t.Created, t.Started, t.Ended = timeOf(created), timeOf(started), timeOf(finished)
				times = append(times, t)
				found++
				return err
			})
			if err != nil {
				return nil, false, err
			}
			whole = whole && found < each
		}
	}
	return times, whole, nil
}
