package rows

import (
	"context"
	"crypto/md5" //nolint:gosec // a name, not a secret
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// listenTime is after how long without news a connection that listens is asked whether it still is one.
const listenTime = time.Minute

// channel is that on which PostgreSQL speaks of a table, schema.table. A hash has the length of a name, whatever the table is called.
func channel(table string) string {
	return fmt.Sprintf("testrun_%x", md5.Sum([]byte(table))) //nolint:gosec // a name, not a secret: PostgreSQL has no other hash in each version
}

// ErrPooled means that a pooler gives each transaction another connection, so that none of them can listen.
var ErrPooled = errors.New("a pooler such as PgBouncer is between the program and PostgreSQL")

// Listens says whether the database can say by itself that there is a new row.
func (t *Table) Listens() bool { return t.database.listen != nil }

// Listen calls wake whenever the table's trigger says that there is news, until ctx or the connection ends. The connection is its own.
func (t *Table) Listen(ctx context.Context, wake func()) error {
	conn, err := pgx.ConnectConfig(ctx, t.database.listen)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var pid uint32
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		return err
	}
	if pid != conn.PgConn().PID() { // PgBouncer makes up the number that it says at the beginning
		return ErrPooled
	}
	if _, err := conn.Exec(ctx, "LISTEN "+t.dialect.quote(channel(t.Name))); err != nil {
		return err
	}
	wake() // for what came while nobody listened
	for {
		waiting, cancel := context.WithTimeout(ctx, listenTime)
		_, err := conn.WaitForNotification(waiting)
		isQuiet := errors.Is(waiting.Err(), context.DeadlineExceeded) && ctx.Err() == nil
		cancel()
		switch {
		case err == nil:
			wake()
		case !isQuiet || conn.IsClosed():
			return err
		default:
			if err := conn.Ping(ctx); err != nil {
				return err
			}
		}
	}
}

// Trigger is SQL that has PostgreSQL speak of new rows, and of rows to be cancelled. Somebody who owns the table runs it.
func Trigger(m Mapping) string {
	words := []string{literal(m.Pending)}
	if m.Cancel != "" {
		words = append(words, literal(m.Cancel))
	}
	p := postgres{}
	schema, table := m.split()
	name, function := p.quote(table), "testrun_job_news"
	if schema != "" {
		name, function = p.quote(schema)+"."+name, p.quote(schema)+"."+function
	}
	return fmt.Sprintf(`-- Has PostgreSQL say at once that %[1]s has a new row. Without it, a row waits for up to spec.pollInterval.
-- To take it back: DROP TRIGGER testrun_job_news ON %[1]s; DROP FUNCTION %[2]s();
CREATE OR REPLACE FUNCTION %[2]s() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('testrun_' || md5(TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME), '');
  RETURN NULL;
END
$$;
CREATE TRIGGER testrun_job_news AFTER INSERT OR UPDATE OF %[3]s ON %[1]s
  FOR EACH ROW WHEN (NEW.%[3]s IN (%[4]s)) EXECUTE FUNCTION %[2]s();
`, name, function, p.quote(m.Status), strings.Join(words, ", "))
}

// literal is a text in SQL of PostgreSQL.
func literal(text string) string {
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if strings.Contains(text, `\`) {
		return "E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}
