package archive

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver for PostgreSQL
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	_ "modernc.org/sqlite" // the driver for SQLite
)

// dialect is a kind of database. Nearly all statements are the same text in both. {lock} in a statement locks the rows that it reads
// until the transaction ends; SQLite has a single writer, and needs no lock.
type dialect string

const (
	sqlite   dialect = "sqlite"
	postgres dialect = "postgres"
)

func (d dialect) text(statement string) string {
	if d == postgres {
		return strings.ReplaceAll(statement, "{lock}", "FOR UPDATE")
	}
	return strings.ReplaceAll(statement, "{lock}", "")
}

// readers is how many connections of SQLite read at once. connections is how many there are to PostgreSQL.
const (
	readers     = 6
	connections = 20
)

// openSQLite waits for the disk at every commit: what the watermark says is stored must outlive a loss of power.
func openSQLite(ctx context.Context, path string) (*Store, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	address := (&url.URL{Scheme: "file", Path: absolute}).String()
	const pragmas = "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-16000)" +
		"&_pragma=journal_size_limit(67108864)&_pragma=temp_store(MEMORY)"
	write, err := sql.Open("sqlite", address+"?"+pragmas+"&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	if err := write.PingContext(ctx); err != nil {
		write.Close()
		return nil, fmt.Errorf("cannot open the database file %s: %w", path, err)
	}
	read, err := sql.Open("sqlite", address+"?"+pragmas+"&_pragma=query_only(1)")
	if err != nil {
		write.Close()
		return nil, err
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return &Store{dialect: sqlite, write: write, read: read, address: address + "?_pragma=busy_timeout(10000)"}, nil
}

func openPostgres(address string) (*Store, error) {
	db, err := sql.Open("pgx", address)
	if err != nil {
		return nil, fmt.Errorf("cannot read the address of the database %q: %w", withoutPassword(address), err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return &Store{dialect: postgres, write: db, read: db, address: address}, nil
}

//go:embed migrations
var migrations embed.FS

// ErrNewer means that a newer program has migrated the database.
var ErrNewer = errors.New("the database is newer than this program")

// migrate brings the tables up to date. Of several programs that start at once, one does it and the others wait.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations/"+string(s.dialect))
	if err != nil {
		return err
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	name := goose.DialectSQLite3
	if s.dialect == postgres {
		name = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(name, s.write, files, options...)
	if err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("cannot read the version of the database: %w", s.explain(err))
	}
	if current > target {
		return fmt.Errorf("%w: it has version %d, and this program knows up to %d; run the newer program, or restore a backup of version %d",
			ErrNewer, current, target, target)
	}
	// Another program may have migrated a file of SQLite meanwhile, where goose knows no lock. Then the next try has less to do.
	for range target - current + 1 {
		if _, err = provider.Up(ctx); err == nil {
			return nil
		}
	}
	return fmt.Errorf("cannot migrate the database: %w", s.explain(err))
}
