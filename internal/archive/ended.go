package archive

import (
	"context"
	"time"
)

// EndSession remembers that a session of the pages has ended, for as long as its cookie could be used again: until ends.
func (s *Store) EndSession(ctx context.Context, id string, ends time.Time) error {
	return s.transact(ctx, func(tx *transaction) error {
		_, err := tx.exec(ctx, "INSERT INTO ended_sessions (id, ends) VALUES ($1, $2) ON CONFLICT DO NOTHING", plain(id), microseconds(ends))
		return err
	})
}

// SessionEnded says whether that session has ended before its time.
func (s *Store) SessionEnded(ctx context.Context, id string) (bool, error) {
	var found int64
	err := s.get(ctx, "SELECT count(*) FROM ended_sessions WHERE id = $1", []any{plain(id)}, &found)
	return found > 0, err
}

// dropSessions forgets sessions that are over by now anyhow, a day later: a clock may be wrong.
func (e *expiry) dropSessions(ctx context.Context) error {
	return e.transact(ctx, func(tx *transaction) error {
		deleted, err := tx.exec(ctx, "DELETE FROM ended_sessions WHERE id IN ("+listOverSessions+")", e.now.Add(-day).UnixMicro(), e.limit)
		e.more = e.more || deleted == int64(e.limit)
		return err
	})
}

const listOverSessions = "SELECT s.id FROM ended_sessions s WHERE s.ends < $1 ORDER BY s.ends, s.id LIMIT $2"
