package ingest

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
)

// progressStore is where progress is kept.
type progressStore interface {
	SetProgress(ctx context.Context, progress []archive.AttemptProgress) error
}

// progressBuffer gathers progress, so that many attempts cost one transaction a second. Of each attempt it holds the last that was pushed.
type progressBuffer struct {
	store progressStore
	log   *slog.Logger

	mutex   sync.Mutex
	waiting map[progressKey]archive.AttemptProgress
}

type progressKey struct {
	uid     string
	attempt int32
}

func keyOf(owner archive.Owner) progressKey { return progressKey{owner.UID, owner.Attempt} }

const (
	// progressInterval is how often progress is written.
	progressInterval = time.Second
	// maxProgressWaiting is of how many attempts progress may wait to be written.
	maxProgressWaiting = 20_000
	// progressBatch is how many attempts one transaction writes.
	progressBatch = 500
	// lastWrite is how long writing may take at the end.
	lastWrite = 5 * time.Second
)

func newProgressBuffer(store progressStore, log *slog.Logger) *progressBuffer {
	return &progressBuffer{store: store, log: log, waiting: map[progressKey]archive.AttemptProgress{}}
}

func (b *progressBuffer) add(progress archive.AttemptProgress) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if _, known := b.waiting[keyOf(progress.Owner)]; !known && len(b.waiting) >= maxProgressWaiting {
		return &refusal{http.StatusTooManyRequests, reasonBusy, "too much progress waits to be written: push it again later"}
	}
	b.waiting[keyOf(progress.Owner)] = progress
	return nil
}

// run writes until the context ends, and then once more.
func (b *progressBuffer) run(ctx context.Context) error {
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := b.writeAll(ctx); err != nil && ctx.Err() == nil {
				b.log.Warn("Progress could not be written, and is tried again", "error", err)
			}
		case <-ctx.Done():
			return b.writeLast(ctx)
		}
	}
}

// writeLast writes what waits when the context has ended.
func (b *progressBuffer) writeLast(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
	defer cancel()
	return b.writeAll(ctx)
}

// writeAll writes what waits.
func (b *progressBuffer) writeAll(ctx context.Context) error {
	for {
		batch := b.take(progressBatch)
		if len(batch) == 0 {
			return nil
		}
		if err := b.store.SetProgress(ctx, batch); err != nil {
			b.giveBack(batch)
			return err
		}
	}
}

// write writes what waits of one attempt.
func (b *progressBuffer) write(ctx context.Context, owner archive.Owner) error {
	b.mutex.Lock()
	progress, waits := b.waiting[keyOf(owner)]
	delete(b.waiting, keyOf(owner))
	b.mutex.Unlock()
	if !waits {
		return nil
	}
	batch := []archive.AttemptProgress{progress}
	err := b.store.SetProgress(ctx, batch)
	if err != nil {
		b.giveBack(batch)
	}
	return err
}

func (b *progressBuffer) take(limit int) []archive.AttemptProgress {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	batch := make([]archive.AttemptProgress, 0, min(limit, len(b.waiting)))
	for key, progress := range b.waiting {
		if len(batch) == limit {
			break
		}
		batch = append(batch, progress)
		delete(b.waiting, key)
	}
	return batch
}

// giveBack has what was not written wait again, but for what was pushed anew.
func (b *progressBuffer) giveBack(batch []archive.AttemptProgress) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for _, progress := range batch {
		if _, anew := b.waiting[keyOf(progress.Owner)]; !anew && len(b.waiting) < maxProgressWaiting {
			b.waiting[keyOf(progress.Owner)] = progress
		}
	}
}
