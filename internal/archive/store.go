package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// Store keeps the rows of one cluster's runs in SQLite or in PostgreSQL. It can be used concurrently, and with PostgreSQL by any number of
// programs at once.
//
// Every method that writes is one transaction, and changes nothing if it is called again with the same: who is not sure that a call
// succeeded calls again. Text comes from tenants: what a database cannot hold, or would be too long, is replaced (see storable).
//
// Lists are read in pages, by the key of the last row of the page before. A page has at most MaxPage rows, and DefaultPage if the limit
// is 0. Their result more means that there is another page.
type Store struct {
	dialect dialect
	// write has a single connection in SQLite, which has a single writer. read is another pool there, and the same in PostgreSQL.
	write, read *sql.DB
	// address is what SQLite opens.
	address string
	// readOnly is why nothing could be stored at the last try; nil if it could.
	readOnly atomic.Pointer[string]
	// blobsReadOnly means that the last blob could not be stored.
	blobsReadOnly atomic.Bool
	now           func() time.Time
	// beforeStatement, in tests, makes a statement of a transaction fail, or the commit.
	beforeStatement func(tx *transaction) error
}

// Limits of pages.
const (
	DefaultPage = 100
	MaxPage     = 1000
)

// Open opens the database at a URL: "sqlite:PATH", where a file is made if there is none, or "postgres://…" as libpq reads it. It brings
// the tables up to date. A database that a newer program has migrated is refused with ErrNewer.
func Open(ctx context.Context, url string) (*Store, error) {
	scheme, path, _ := strings.Cut(url, ":")
	var store *Store
	var err error
	switch {
	case scheme == "sqlite" && path != "":
		store, err = openSQLite(ctx, path)
	case scheme == "postgres" || scheme == "postgresql":
		store, err = openPostgres(url)
	default:
		return nil, fmt.Errorf("the database is %q: it is sqlite:PATH or postgres://USER@HOST/DATABASE", withoutPassword(url))
	}
	if err != nil {
		return nil, err
	}
	store.now = time.Now
	if err := store.prepare(ctx); err != nil {
		store.Close()
		return nil, err
	}
	return store, nil
}

func (s *Store) prepare(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if s.dialect == postgres {
		return s.addPartitions(ctx, s.now())
	}
	return nil
}

// withoutPassword is a URL as an error may show it.
func withoutPassword(url string) string {
	if at := strings.LastIndexByte(url, '@'); at >= 0 {
		return "…" + url[at:]
	}
	return url
}

// SetClock replaces the clock of the computer, before the store is used. Tests have it jump.
func (s *Store) SetClock(now func() time.Time) { s.now = now }

// Close ends all connections. Transactions that are under way are rolled back.
func (s *Store) Close() error {
	err := s.write.Close()
	if s.read != s.write {
		if readErr := s.read.Close(); err == nil {
			err = readErr
		}
	}
	return err
}

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.explain(s.read.QueryRowContext(ctx, "SELECT 1").Scan(&one))
}

// ReadOnly is why nothing can be stored now, in words; empty if the last write succeeded. Reading works nevertheless.
func (s *Store) ReadOnly() string {
	if reason := s.readOnly.Load(); reason != nil {
		return *reason
	}
	if s.blobsReadOnly.Load() {
		return ErrReadOnly.Error() + ": make room where the blobs are kept, or let them be written"
	}
	return ""
}

// BlobStored says how storing a blob has ended: ReadOnly speaks of blobs, too.
func (s *Store) BlobStored(err error) {
	if err == nil || errors.Is(err, ErrReadOnly) {
		s.blobsReadOnly.Store(err != nil)
	}
}

func pageSize(limit int) int {
	if limit <= 0 {
		return DefaultPage
	}
	return min(limit, MaxPage)
}

// Size is how much room the database takes on its disk, in bytes, without the blobs.
func (s *Store) Size(ctx context.Context) (int64, error) {
	statement := "SELECT pg_database_size(current_database())"
	if s.dialect == sqlite {
		statement = "SELECT c.page_count * s.page_size FROM pragma_page_count() AS c, pragma_page_size() AS s"
	}
	var size int64
	err := s.get(ctx, statement, nil, &size)
	return size, err
}
