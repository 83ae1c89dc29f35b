package rows

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

const (
	// connectTime, lockTime and statementTime bound what a database may take.
	connectTime   = 10 * time.Second
	lockTime      = 2 * time.Second
	statementTime = 20 * time.Second
	// maxConnections is how many connections one database is given at most, beside the one that listens.
	maxConnections = 4
)

// Database is a database that holds job tables.
type Database struct {
	db      *sql.DB
	dialect dialect
	// listen is how a connection that listens is made; nil if the database cannot be listened to.
	listen *pgx.ConnConfig
}

// Wrap changes how connections are made. Tests have them fail.
type Wrap func(driver.Connector) driver.Connector

// Open reads the URL of a database: postgres://…, mysql://… or mariadb://…. It does not connect yet. What it says is about the URL and does
// not quote it, since it holds a password.
func Open(text string, wrap Wrap) (*Database, error) {
	text = strings.TrimSpace(text)
	scheme, _, _ := strings.Cut(text, "://")
	database := &Database{}
	var connector driver.Connector
	var err error
	switch scheme {
	case "postgres", "postgresql":
		database.dialect = postgres{}
		connector, database.listen, err = connectPostgres(text)
	case "mysql", "mariadb":
		database.dialect = mySQL{}
		connector, err = connectMySQL(text)
	default:
		err = errors.New("it does not begin with postgres://, mysql:// or mariadb://")
	}
	if err != nil {
		return nil, problem(v1alpha1.ReasonDatabaseInvalid, "The file in the Secret holds no URL of a database: %s. "+
			"Write postgres://USER:PASSWORD@HOST/DATABASE or mysql://USER:PASSWORD@HOST/DATABASE, with special signs of the password as %%XX", err)
	}
	if wrap != nil {
		connector = wrap(connector)
	}
	database.db = sql.OpenDB(connector)
	database.db.SetMaxOpenConns(maxConnections)
	database.db.SetMaxIdleConns(maxConnections)
	database.db.SetConnMaxIdleTime(5 * time.Minute)
	database.db.SetConnMaxLifetime(30 * time.Minute)
	return database, nil
}

// Close ends all connections.
func (d *Database) Close() error { return d.db.Close() }

func connectPostgres(text string) (driver.Connector, *pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(text)
	if err != nil {
		return nil, nil, errors.New("PostgreSQL's driver cannot read it")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTime
	}
	// A pooler such as PgBouncer gives each transaction another connection, so that nothing can be prepared.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "testrun-jobtable"
	}
	return stdlib.GetConnector(*config), config.Copy(), nil
}

func connectMySQL(text string) (driver.Connector, error) {
	parsed, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("it is no URL") // the error itself quotes the password
	}
	config := mysql.NewConfig()
	config.User = parsed.User.Username()
	config.Passwd, _ = parsed.User.Password()
	config.DBName = strings.TrimPrefix(parsed.Path, "/")
	config.Net, config.Addr = "tcp", parsed.Host
	if parsed.Port() == "" {
		config.Addr = net.JoinHostPort(parsed.Hostname(), "3306")
	}
	if config.DBName == "" {
		return nil, errors.New("it names no database")
	}
	if err := mySQLOptions(config, parsed); err != nil {
		return nil, err
	}
	config.Timeout, config.ReadTimeout, config.WriteTimeout = connectTime, statementTime+connectTime, statementTime
	// An UPDATE counts what it finds. Arguments are put into the text by the driver, which knows how: one trip instead of three.
	config.ClientFoundRows, config.InterpolateParams = true, true
	config.Params = map[string]string{"innodb_lock_wait_timeout": "2", "lock_wait_timeout": "2"}
	config.Logger = silent{}
	return mysql.NewConnector(config)
}

func mySQLOptions(config *mysql.Config, parsed *url.URL) error {
	for name, values := range parsed.Query() {
		value := values[len(values)-1]
		switch name {
		case "socket":
			config.Net, config.Addr = "unix", value
		case "tls":
			config.TLSConfig = value
		case "ca":
			pem, err := os.ReadFile(value)
			if err != nil {
				return errors.New("the file of its option ca cannot be read")
			}
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM(pem) {
				return errors.New("the file of its option ca holds no certificate in PEM")
			}
			config.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: parsed.Hostname()}
		default:
			return errors.New("it has an option other than tls, ca and socket")
		}
	}
	switch config.TLSConfig {
	case "", "true", "false", "skip-verify", "preferred":
		return nil
	default:
		return errors.New("its option tls is not true, false, preferred or skip-verify")
	}
}

// silent keeps the driver from writing to standard error: what goes wrong is an error as well.
type silent struct{}

// Print drops what the driver says.
func (silent) Print(...any) {}
