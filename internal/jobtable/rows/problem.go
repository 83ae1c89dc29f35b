package rows

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Problem is what is wrong with a database or a table: a reason of the API, and a sentence that says what to do.
type Problem struct {
	Reason, Message string
	// err is what it was found from; nil if nothing failed.
	err error
}

func (p *Problem) Error() string { return p.Message }

// Unwrap is what the problem was found from.
func (p *Problem) Unwrap() error { return p.err }

func problem(reason, format string, args ...any) *Problem {
	return &Problem{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// ProblemOf says what an error of this package means.
func ProblemOf(err error) *Problem {
	var known *Problem
	if errors.As(err, &known) {
		return known
	}
	reason, advice := meaning(err)
	return &Problem{Reason: reason, Message: sentence(err) + advice, err: err}
}

// IsOfOneRow says whether the database refused a change because of the row: a value, a constraint or a trigger. Whatever it answers to a
// change may be about that row alone, unless it is about the connection, the lock on the table, or the server as a whole.
func IsOfOneRow(err error) bool {
	var postgres *pgconn.PgError
	var other *mysql.MySQLError
	switch {
	case errors.As(err, &postgres):
		switch reason, _ := meaningPostgres(postgres.Code); reason {
		case v1alpha1.ReasonLoginRefused, v1alpha1.ReasonReadOnly, v1alpha1.ReasonTableLocked, v1alpha1.ReasonDatabaseUnreachable:
			return false
		}
		return !strings.HasPrefix(postgres.Code, "08")
	case errors.As(err, &other):
		switch reason, _ := meaningMySQL(other.Number); reason {
		case v1alpha1.ReasonLoginRefused, v1alpha1.ReasonReadOnly, v1alpha1.ReasonDatabaseUnreachable:
			return false
		}
		return true
	default:
		return false
	}
}

const (
	loginAdvice = ": correct the URL in the Secret, or make the user in the database"
	// permissionDenied is PostgreSQL's code for that.
	permissionDenied = "42501"
	// ofPooler is PgBouncer's code for whatever is wrong: a login, an option of the URL, or a database that it does not reach.
	ofPooler     = "08P01"
	poolerAdvice = ": that is the answer of a pooler such as PgBouncer. Correct the URL in the Secret; the pooler's log says more"
	rights       = "SELECT on the table, and UPDATE on the columns that are written"
	lockAdvice   = ": end the transaction that holds the lock; the next look at the table tries again"
)

// meaning is the reason of an error, and what to do about it.
func meaning(err error) (reason, advice string) {
	var postgres *pgconn.PgError
	var other *mysql.MySQLError
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &postgres) && postgres.Code == ofPooler && errors.As(err, &connect):
		return v1alpha1.ReasonLoginRefused, poolerAdvice
	case errors.As(err, &postgres):
		return meaningPostgres(postgres.Code)
	case errors.As(err, &other):
		return meaningMySQL(other.Number)
	case isUnreachable(err):
		return v1alpha1.ReasonDatabaseUnreachable, ": see that the database runs, and that a NetworkPolicy lets this pod reach it"
	default:
		return v1alpha1.ReasonDatabaseFailed, ""
	}
}

func meaningPostgres(code string) (reason, advice string) {
	switch code {
	case "28P01", "28000", "3D000":
		return v1alpha1.ReasonLoginRefused, loginAdvice
	case "42P01", "3F000":
		return v1alpha1.ReasonTableNotFound, ""
	case "42703":
		return v1alpha1.ReasonColumnNotFound, ""
	case permissionDenied:
		return v1alpha1.ReasonPermissionDenied, ": grant the user of the URL CONNECT on the database, USAGE on the schema, " + rights
	case "25006":
		return v1alpha1.ReasonReadOnly, ": name the primary in the URL, not a replica"
	case "55P03":
		return v1alpha1.ReasonTableLocked, lockAdvice
	case "22001":
		return v1alpha1.ReasonValueTooLong, ": make the column longer"
	case "53300", "57P01", "57P02", "57P03", ofPooler:
		return v1alpha1.ReasonDatabaseUnreachable, ": it is tried again"
	default:
		return v1alpha1.ReasonDatabaseFailed, ""
	}
}

func meaningMySQL(number uint16) (reason, advice string) {
	switch number {
	case 1044, 1045, 1049, 1130, 1698:
		return v1alpha1.ReasonLoginRefused, loginAdvice
	case 1146:
		return v1alpha1.ReasonTableNotFound, ""
	case 1054:
		return v1alpha1.ReasonColumnNotFound, ""
	case 1142, 1143:
		return v1alpha1.ReasonPermissionDenied, ": grant the user of the URL " + rights
	case 1290, 1792, 1836, 3100:
		return v1alpha1.ReasonReadOnly, ": name the primary in the URL, not a replica"
	case 1205:
		return v1alpha1.ReasonTableLocked, lockAdvice
	case 1406:
		return v1alpha1.ReasonValueTooLong, ": make the column longer"
	case 1040, 1053, 1203, 1226:
		return v1alpha1.ReasonDatabaseUnreachable, ": it is tried again"
	default:
		return v1alpha1.ReasonDatabaseFailed, ""
	}
}

func isUnreachable(err error) bool {
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, mysql.ErrInvalidConn) || strings.Contains(fmt.Sprintf("%T", err), "net.")
}

// sentence is an error as it may be shown: bounded, on one line, and with what the database itself says.
func sentence(err error) string {
	text := err.Error()
	var postgres *pgconn.PgError
	var other *mysql.MySQLError
	switch {
	case errors.As(err, &postgres):
		text = "PostgreSQL says: " + postgres.Message
	case errors.As(err, &other):
		text = "The database says: " + other.Message
	case errors.Is(err, context.DeadlineExceeded):
		text = "The database did not answer in time"
	case isUnreachable(err):
		text = "The database cannot be reached: " + text
	}
	return Bounded(text, 512)
}

// Bounded is a text on one line, of at most that many bytes, in valid UTF-8.
func Bounded(text string, limit int) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " ")
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
	if len(text) <= limit {
		return text
	}
	const mark = "…"
	cut := limit - len(mark)
	for cut > 0 && text[cut]&0xC0 == 0x80 {
		cut--
	}
	return text[:cut] + mark
}
