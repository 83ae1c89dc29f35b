package jobtable

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/mariadb"
	"github.com/testrun-dev/testrun/test/postgres"
)

// The servers of all tests; nil before the first test needs them.
var (
	startedPostgres *postgres.Server
	startedMariaDB  *mariadb.Server
)

var (
	postgresServer = sync.OnceValues(func() (*postgres.Server, error) {
		var err error
		startedPostgres, err = startPostgres()
		return startedPostgres, err
	})
	mariaDBServer = sync.OnceValues(func() (*mariadb.Server, error) {
		var err error
		startedMariaDB, err = mariadb.Start(context.Background())
		return startedMariaDB, err
	})
)

// startPostgres starts a server that asks all but its administrator for a password.
func startPostgres() (*postgres.Server, error) {
	rules, err := os.CreateTemp("/tmp", "pg_hba")
	if err != nil {
		return nil, err
	}
	defer os.Remove(rules.Name())
	_, err = rules.WriteString("local all test trust\nlocal all all scram-sha-256\n")
	if err := errors.Join(err, rules.Chmod(0o644), rules.Close()); err != nil {
		return nil, err
	}
	return postgres.Start(context.Background(), "hba_file="+rules.Name())
}

func TestMain(m *testing.M) {
	flag.Parse()
	isSet := false
	flag.Visit(func(f *flag.Flag) { isSet = isSet || f.Name == "test.parallel" })
	if !isSet {
		_ = flag.Set("test.parallel", "4") // a point is mostly waiting for answers
	}
	ctrl.SetLogger(logr.Discard())
	code := apiserver.Run(m)
	if startedPostgres != nil {
		if err := startedPostgres.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "cannot stop PostgreSQL:", err)
			code = 1
		}
	}
	if startedMariaDB != nil {
		if err := startedMariaDB.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "cannot stop MariaDB:", err)
			code = 1
		}
	}
	os.Exit(code)
}

const (
	onPostgres = "PostgreSQL"
	onMariaDB  = "MariaDB"
)

// database is an empty database of a test, as its administrator sees it.
type database struct {
	kind string
	sql  *sql.DB
	// url is how the program reaches it, as the user shop, who may do all in it unless the test takes that away.
	url string
	t   *testing.T
}

// onBoth tries something on both databases.
func onBoth(t *testing.T, do func(t *testing.T, kind string)) {
	t.Helper()
	for _, kind := range []string{onPostgres, onMariaDB} {
		t.Run(kind, func(t *testing.T) { do(t, kind) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newDatabase(t *testing.T, kind string) *database {
	t.Helper()
	d := &database{kind: kind, t: t}
	if kind == onPostgres {
		server, err := postgresServer()
		must(t, err)
		admin, err := server.NewDatabase(context.Background())
		must(t, err)
		d.sql, err = sql.Open("pgx", admin)
		must(t, err)
		parsed, err := url.Parse(admin)
		must(t, err)
		parsed.User = url.UserPassword("shop", "secret")
		d.url = parsed.String()
		d.exec("DO $$ BEGIN CREATE ROLE shop LOGIN PASSWORD 'secret'; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
		d.exec("ALTER DEFAULT PRIVILEGES GRANT SELECT, UPDATE ON TABLES TO shop")
	} else {
		server, err := mariaDBServer()
		must(t, err)
		name, err := server.NewDatabase(context.Background())
		must(t, err)
		d.sql, err = sql.Open("mysql", server.DSN(name))
		must(t, err)
		d.url = server.URL("shop", "secret", name)
		d.exec("CREATE USER IF NOT EXISTS shop@localhost IDENTIFIED BY 'secret'")
		d.exec("GRANT SELECT, UPDATE ON " + name + ".* TO shop@localhost")
	}
	t.Cleanup(func() { d.sql.Close() })
	return d
}

// exec executes statements of somebody else than the program.
func (d *database) exec(statement string, args ...any) {
	d.t.Helper()
	if d.kind == onPostgres {
		for i := range args {
			statement = strings.Replace(statement, "?", fmt.Sprintf("$%d", i+1), 1)
		}
	}
	if _, err := d.sql.ExecContext(context.Background(), statement, args...); err != nil {
		d.t.Fatalf("%s: %v", statement, err)
	}
}

// one is the text of one value; "NULL" if it is none.
func (d *database) one(query string) string {
	d.t.Helper()
	var value sql.NullString
	if err := d.sql.QueryRowContext(context.Background(), query).Scan(&value); err != nil {
		d.t.Fatalf("%s: %v", query, err)
	}
	if !value.Valid {
		return "NULL"
	}
	return value.String
}

// The table of the seed: PostgreSQL's as it is, and the same for MariaDB, where a varchar has a length.
var seedTable = map[string]string{
	onPostgres: "CREATE TABLE job (id serial, test_id integer, status varchar DEFAULT 'pending', created timestamp DEFAULT now(), data varchar)",
	onMariaDB: "CREATE TABLE job (id serial, test_id integer, status varchar(20) DEFAULT 'pending', created timestamp DEFAULT now(), " +
		"data varchar(10000))",
}
