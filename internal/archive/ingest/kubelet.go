package ingest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
)

const (
	// logsAtOnce is how many logs are read at the same time. Each is in memory until it is kept.
	logsAtOnce = 8
	// settlePeriod is how often the store is asked which attempts are not settled.
	settlePeriod = time.Second
	// unsettledAtOnce is how many of them are looked at, the oldest first.
	unsettledAtOnce = 500
	// pushMargin is how long a last push may be on its way after the API server has said that the attempt ended.
	pushMargin = 3 * time.Second
	// triesFor is how long a log that cannot be read is tried again, and tryAgain the time between two tries.
	triesFor = 5 * time.Minute
	tryAgain = 5 * time.Second
)

// SettleStore is where attempts are settled.
type SettleStore interface {
	Unsettled(ctx context.Context, limit int) ([]archive.UnsettledAttempt, error)
	Settle(ctx context.Context, uid string, number int32, note string) error
	Run(ctx context.Context, uid string) (archive.Run, error)
	Stream(ctx context.Context, uid string, attempt int32, stream push.Stream) (archive.StreamState, error)
	Chunks(ctx context.Context, uid string, attempt int32, stream push.Stream, from int64, limit int) ([]archive.Chunk, error)
	Usage(ctx context.Context, namespace, uid string) (run, all archive.Amount, err error)
	SetCut(ctx context.Context, owner archive.Owner, stream push.Stream, source archive.Source, reason string) error
}

// KubeletLogs reads the logs of pods that have not pushed all of their output: without a runner, cut off, or killed. It reads each log once,
// when the attempt has ended, and notes on the attempt why something is missing. Then the attempt is settled. Until then the watermark stays
// below its run, so that the operator does not delete the pod. One replica is to do it at a time; two would keep the same twice, once.
type KubeletLogs struct {
	Pods   corev1client.PodsGetter
	Store  SettleStore
	Keeper Keeper
	// MaxLog is how many bytes of a log are read, and Limits bound what is kept.
	MaxLog  int64
	Limits  Limits
	Log     *slog.Logger
	Metrics *KubeletMetrics

	// patience is how long a log that cannot be read is tried again; 0 is triesFor.
	patience time.Duration
	// waiting is the time between two tries; 0 is tryAgain. margin is that for a last push; 0 is pushMargin.
	waiting, margin time.Duration

	mu sync.Mutex
	// waits are the attempts that this process has seen to be unsettled.
	waits map[attemptKey]*unsettled
}

type attemptKey struct {
	uid    string
	number int32
}

// unsettled is an attempt that this process has seen to be unsettled. Its times are of this process alone: they are measured without the
// clock, which may jump, and may be another one than that of the replica before.
type unsettled struct {
	// since is when it was seen first, and next when it is tried again.
	since, next time.Time
	// busy means that it is being settled.
	busy bool
}

// Run settles attempts until the context ends.
func (k *KubeletLogs) Run(ctx context.Context) {
	k.waits = map[attemptKey]*unsettled{}
	slots := make(chan struct{}, logsAtOnce)
	var all sync.WaitGroup
	defer all.Wait()
	ticks := time.NewTicker(settlePeriod)
	defer ticks.Stop()
	for {
		attempts, err := k.Store.Unsettled(ctx, unsettledAtOnce)
		if err != nil && ctx.Err() == nil {
			k.Log.Warn("The attempts whose output is not settled cannot be read", "error", err)
		}
		if err == nil {
			k.see(attempts)
		}
		for _, attempt := range attempts {
			if !k.begin(attempt) {
				continue
			}
			select {
			case <-ctx.Done():
				return
			case slots <- struct{}{}:
			}
			all.Go(func() {
				defer func() { <-slots }()
				k.end(attempt, k.settle(ctx, attempt))
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// see notes which attempts are unsettled, and forgets the others.
func (k *KubeletLogs) see(attempts []archive.UnsettledAttempt) {
	k.mu.Lock()
	defer k.mu.Unlock()
	seen := make(map[attemptKey]*unsettled, len(attempts))
	for _, attempt := range attempts {
		key := keyOfAttempt(attempt)
		if seen[key] = k.waits[key]; seen[key] == nil {
			seen[key] = &unsettled{since: time.Now()}
		}
	}
	for key, wait := range k.waits {
		if wait.busy {
			seen[key] = wait
		}
	}
	k.waits = seen
}

func keyOfAttempt(attempt archive.UnsettledAttempt) attemptKey {
	return attemptKey{attempt.UID, attempt.Attempt.Number}
}

// begin says whether it is time to settle an attempt. If it is, nobody else begins before end.
func (k *KubeletLogs) begin(attempt archive.UnsettledAttempt) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	wait := k.waits[keyOfAttempt(attempt)]
	due := wait.since
	if !attempt.Attempt.Ended && attempt.Attempt.Pod != "" {
		due = due.Add(cmp.Or(k.margin, pushMargin))
	}
	now := time.Now()
	if wait.busy || now.Before(due) || now.Before(wait.next) {
		return false
	}
	wait.busy = true
	return true
}

func (k *KubeletLogs) end(attempt archive.UnsettledAttempt, isSettled bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	wait := k.waits[keyOfAttempt(attempt)]
	wait.busy = false
	wait.next = time.Now().Add(cmp.Or(k.waiting, tryAgain))
	if isSettled {
		delete(k.waits, keyOfAttempt(attempt))
	}
}

// settle reads the log of an attempt, if it has to be read, and says whether the attempt is settled.
func (k *KubeletLogs) settle(ctx context.Context, attempt archive.UnsettledAttempt) bool {
	log := k.Log.With("namespace", attempt.Namespace, "run", attempt.Name, "runUID", attempt.UID, "attempt", attempt.Attempt.Number)
	note, err := k.read(ctx, attempt)
	if ctx.Err() != nil {
		return false
	}
	if err != nil && !k.isTooLate(attempt) {
		log.Info("The log of a pod cannot be read yet, and is tried again", "error", err)
		return false
	}
	if err != nil {
		k.Metrics.notRead()
		note = fmt.Sprintf("output: what was not pushed is missing, since the log of pod %s could not be read for %s: %v",
			attempt.Attempt.Pod, cmp.Or(k.patience, triesFor), err)
	}
	if err := k.Store.Settle(ctx, attempt.UID, attempt.Attempt.Number, note); err != nil {
		log.Warn("That the output of an attempt is settled cannot be stored, and is tried again", "error", err)
		return false
	}
	if note != "" {
		log.Info("The output of an attempt was not pushed as a whole", "note", note)
	}
	return true
}

// isTooLate says whether there is no point in trying again.
func (k *KubeletLogs) isTooLate(attempt archive.UnsettledAttempt) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Since(k.waits[keyOfAttempt(attempt)].since) >= cmp.Or(k.patience, triesFor)
}
