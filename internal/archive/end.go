package archive

import (
	"context"
	"fmt"

	"github.com/testrun-dev/testrun/internal/push"
)

// AttemptProgress is how far an attempt is.
type AttemptProgress struct {
	Owner
	Progress push.Progress
}

// SetProgress says how far attempts are. Progress never goes back, and says nothing more once the attempt has ended. Each call waits for the
// disk, so callers gather what many runners say.
func (s *Store) SetProgress(ctx context.Context, attempts []AttemptProgress) error {
	if len(attempts) == 0 {
		return nil
	}
	return s.transact(ctx, func(tx *transaction) error {
		for i := range attempts {
			if err := tx.setProgress(ctx, &attempts[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (tx *transaction) setProgress(ctx context.Context, a *AttemptProgress) error {
	run, err := tx.lockOwner(ctx, a.Owner)
	if err != nil {
		return err
	}
	p := push.Progress{Done: max(a.Progress.Done, 0), Failed: max(a.Progress.Failed, 0), Total: max(a.Progress.Total, 0)}
	changed, err := tx.exec(ctx, `UPDATE attempts SET done = $3, done_failed = $4, total = $5
		WHERE run_id = $1 AND number = $2 AND pushed = 0 AND done <= $3 AND (done, done_failed, total) <> ($3, $4, $5)`,
		run.id, a.Attempt, p.Done, p.Failed, p.Total)
	if changed > 0 {
		tx.touch(run.id)
	}
	return err
}

// SetEnd keeps what the runner says at its end: which streams there should be, and what is missing. It returns their states. A stream of
// which nothing came has a Length of 0.
func (s *Store) SetEnd(ctx context.Context, owner Owner, end push.End) ([]StreamState, error) {
	if len(end.Streams) > push.MaxStreams {
		return nil, fmt.Errorf("%w: an end with %d streams", ErrInvalid, len(end.Streams))
	}
	var states []StreamState
	err := s.transact(ctx, func(tx *transaction) error {
		states = states[:0]
		run, err := tx.lockOwner(ctx, owner)
		if err != nil {
			return err
		}
		if err := tx.setMissing(ctx, &run, owner.Attempt, end.Missing); err != nil {
			return err
		}
		for _, stream := range end.Streams {
			state, err := tx.endStream(ctx, &run, owner.Attempt, stream)
			if err != nil {
				return err
			}
			states = append(states, state)
		}
		return nil
	})
	return states, err
}

func (tx *transaction) setMissing(ctx context.Context, run *runRow, attempt int32, missing []string) error {
	var text string
	err := tx.get(ctx, "SELECT missing FROM attempts WHERE run_id = $1 AND number = $2", []any{run.id, attempt}, &text)
	if err != nil {
		return err
	}
	changed, err := tx.exec(ctx, "UPDATE attempts SET pushed = 1, missing = $3 WHERE run_id = $1 AND number = $2 AND (pushed, missing) <> (1, $3)",
		run.id, attempt, withMissing(text, missing...))
	if changed > 0 {
		tx.touch(run.id)
	}
	return err
}

func (tx *transaction) endStream(ctx context.Context, run *runRow, attempt int32, end push.StreamEnd) (StreamState, error) {
	if end.Length < 0 || len(end.SHA256) > 64 {
		return StreamState{}, fmt.Errorf("%w: the end of a stream of %d bytes with the SHA-256 %.70q", ErrInvalid, end.Length, end.SHA256)
	}
	row, err := tx.stream(ctx, run, attempt, storableStream(push.Stream{Kind: end.Kind, Path: end.Path}), FromRunner)
	if err != nil {
		return StreamState{}, err
	}
	if row.expired != 0 {
		return row.state(run.uid), nil
	}
	row.wanted, row.sha256 = end.Length, plain(end.SHA256)
	next, err := tx.finishChunk(ctx, run, row)
	state := row.state(run.uid)
	state.Next = next
	return state, err
}

// SetCut says in words why something of a stream is not kept. The first reason stays.
func (s *Store) SetCut(ctx context.Context, owner Owner, stream push.Stream, source Source, reason string) error {
	return s.transact(ctx, func(tx *transaction) error {
		run, err := tx.lockOwner(ctx, owner)
		if err != nil {
			return err
		}
		row, err := tx.stream(ctx, &run, owner.Attempt, storableStream(stream), source)
		if err != nil || row.cut != "" {
			return err
		}
		row.cut = prose(reason)
		return row.write(ctx, tx)
	})
}
