package archive

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// Errors that callers tell apart.
var (
	// ErrNotFound means that nothing is kept under that name.
	ErrNotFound = errors.New("not found")
	// ErrReadOnly means that nothing more can be stored now: the disk is full, for one. What is kept can be read.
	ErrReadOnly = errors.New("the archive is read-only")
	// ErrExpired means that the bytes of the stream were deleted, since they were kept for as long as they should be.
	ErrExpired = errors.New("it was kept for as long as it should be, and is deleted")
	// ErrTooMany means that an attempt has as many streams, or a run as many chunks, as it may.
	ErrTooMany = errors.New("too many")
	// ErrInvalid means that what should be stored contradicts itself or what is kept: it will never be stored.
	ErrInvalid = errors.New("not valid")
	// ErrOtherSource means that a stream's bytes are kept from a better source.
	ErrOtherSource = errors.New("kept from another source")
)

// PostgreSQL's codes: see its manual, appendix A.
const (
	pgDiskFull             = "53100"
	pgReadOnly             = "25006"
	pgSerializationFailure = "40001"
	pgDeadlock             = "40P01"
)

// explain says what an error of a database means. It is the only place that knows the drivers' errors.
func (s *Store) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case errors.Is(err, ErrReadOnly):
		return err
	case isReadOnly(err):
		err = fmt.Errorf("%w: make room on the disk of the database, or let it write (%w)", ErrReadOnly, err)
		reason := err.Error()
		s.readOnly.Store(&reason)
	}
	return err
}

func isReadOnly(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EDQUOT) {
		return true
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == pgDiskFull || pg.Code == pgReadOnly
	}
	if lite, ok := errors.AsType[*driver.Error](err); ok {
		// The low byte is the primary code.
		return lite.Code()&0xff == codes.SQLITE_FULL || lite.Code()&0xff == codes.SQLITE_READONLY
	}
	return false
}

// mayRetry means that the same transaction may succeed if it is tried again: another one was in its way.
func mayRetry(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == pgDeadlock || pg.Code == pgSerializationFailure
	}
	// The server had ended a connection that nobody used.
	return errors.Is(err, sqldriver.ErrBadConn)
}
