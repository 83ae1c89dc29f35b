package archive

import (
	"context"
	"math"
	"time"
)

// AuditEntry is something that a person did through the server.
type AuditEntry struct {
	// ID grows from entry to entry.
	ID   int64
	At   time.Time
	User string
	// Action is what was asked for, in a word, and Result what came of it.
	Action, Result string
	// Namespace, and Name and UID of the run that it is about, where there is one.
	Namespace, Name, UID string
}

// Audit keeps an entry. Its ID and its time are the store's.
func (s *Store) Audit(ctx context.Context, entry AuditEntry) error {
	return s.transact(ctx, func(tx *transaction) error {
		_, err := tx.exec(ctx, `INSERT INTO audit (at, actor, action, result, namespace, name, uid) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			microseconds(s.now()), plain(entry.User), plain(entry.Action), plain(entry.Result), plain(entry.Namespace), plain(entry.Name), plain(entry.UID))
		return err
	})
}

const listAudit = `SELECT id, at, actor, action, result, namespace, name, uid FROM audit
	WHERE namespace = $1 AND id < $2 ORDER BY id DESC LIMIT $3`

// AuditLog lists what was done in a namespace, the newest first. The page after this one begins after the ID of its last entry; 0 is before
// the first.
func (s *Store) AuditLog(ctx context.Context, namespace string, after int64, limit int) (entries []AuditEntry, more bool, err error) {
	if after <= 0 {
		after = math.MaxInt64
	}
	err = s.list(ctx, listAudit, []any{namespace, after, pageSize(limit) + 1}, func(scan scanner) error {
		var e AuditEntry
		var at int64
		err := scan(&e.ID, &at, &e.User, &e.Action, &e.Result, &e.Namespace, &e.Name, &e.UID)
		e.At = timeOf(at)
		entries = append(entries, e)
		return err
	})
	entries, more = cutPage(entries, limit)
	return entries, more, err
}

// dropAudit deletes the oldest entries.
func (e *expiry) dropAudit(ctx context.Context, keep time.Duration) error {
	if keep <= 0 {
		return nil
	}
	return e.transact(ctx, func(tx *transaction) error {
		deleted, err := tx.exec(ctx, "DELETE FROM audit WHERE id IN ("+listOldAudit+")", e.now.Add(-keep).UnixMicro(), e.limit)
		e.more = e.more || deleted == int64(e.limit)
		return err
	})
}

const listOldAudit = "SELECT a.id FROM audit a WHERE a.at < $1 ORDER BY a.at, a.id LIMIT $2"
