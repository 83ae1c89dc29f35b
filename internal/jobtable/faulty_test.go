package jobtable

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/testrun-dev/testrun/internal/jobtable/rows"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// errDied is what each call of a program returns once the program is dead.
var errDied = errors.New("the program is dead")

// errBroken is what is left of a connection that broke.
var errBroken = errors.New("the connection broke: unexpected EOF")

// strike is what happens at a point: to the call itself, or beside it.
type strike struct {
	name string
	// before skips the call, and after does it and loses the answer; none of the two for what happens beside it.
	before, after bool
	// kills ends the program; otherwise the connection alone breaks.
	kills bool
	// beside happens before the call, which then goes on.
	beside func(h *history)
}

// calls are those of one program to the database and to the API server, one after another. At one of them, the strike happens.
type calls struct {
	mu     sync.Mutex
	count  int
	point  int
	strike strike
	beside func()
	struck bool
	dead   bool
}

// call makes a call, unless something strikes. broken says that its connection is of no use any more.
func (c *calls) call(do func() error) (broken bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return true, errDied
	}
	c.count++
	if c.count != c.point {
		return false, do()
	}
	c.struck = true
	if !c.strike.before && !c.strike.after {
		c.beside()
		return false, do()
	}
	if c.strike.after {
		_ = do()
	}
	if c.strike.kills {
		c.dead = true
		return true, errDied
	}
	return true, errBroken
}

// wrap has all statements go through the calls.
func (c *calls) wrap(inner driver.Connector) driver.Connector { return &faultyConnector{inner, c} }

type faultyConnector struct {
	driver.Connector
	calls *calls
}

// Connect makes a connection that may break.
func (f *faultyConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := f.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &faultyConn{Conn: conn, calls: f.calls}, nil
}

type faultyConn struct {
	driver.Conn
	calls  *calls
	broken bool
}

// do makes a call on the connection. One that breaks is closed: the server rolls back what was not committed.
func (f *faultyConn) do(call func() error) error {
	if f.broken {
		return errBroken
	}
	broken, err := f.calls.call(call)
	if broken {
		f.broken = true
		_ = f.Conn.Close()
	}
	return err
}

func (f *faultyConn) Close() error {
	if f.broken {
		return nil
	}
	return f.Conn.Close()
}

func (f *faultyConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	var tx driver.Tx
	err := f.do(func() (err error) {
		tx, err = f.Conn.(driver.ConnBeginTx).BeginTx(ctx, options)
		return err
	})
	return &faultyTx{tx, f}, err
}

func (f *faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (found driver.Rows, err error) {
	err = f.do(func() (err error) {
		found, err = f.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
		return err
	})
	return found, err
}

func (f *faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	err = f.do(func() (err error) {
		result, err = f.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
		return err
	})
	return result, err
}

func (f *faultyConn) CheckNamedValue(value *driver.NamedValue) error {
	return f.Conn.(driver.NamedValueChecker).CheckNamedValue(value)
}

func (f *faultyConn) ResetSession(ctx context.Context) error {
	if f.broken {
		return driver.ErrBadConn
	}
	return f.Conn.(driver.SessionResetter).ResetSession(ctx)
}

func (f *faultyConn) IsValid() bool { return !f.broken }

type faultyTx struct {
	driver.Tx
	conn *faultyConn
}

func (f *faultyTx) Commit() error   { return f.conn.do(f.Tx.Commit) }
func (f *faultyTx) Rollback() error { return f.conn.do(f.Tx.Rollback) }

// through has all requests go through the calls, and tells made of each run that the API server has made.
func (c *calls) through(made func(body []byte)) apiserver.RoundTrip {
	return func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		var response *http.Response
		_, err := c.call(func() (err error) {
			response, err = next.RoundTrip(request) //nolint:bodyclose // whoever asked closes it
			if err == nil && request.Method == http.MethodPost && response.StatusCode == http.StatusCreated && apiserver.ResourceOf(request.URL.Path) == "testruns" {
				body, readErr := io.ReadAll(response.Body)
				made(body)
				response.Body = &again{body: body}
				return readErr
			}
			return err
		})
		if err != nil && response != nil {
			response.Body.Close()
		}
		if err != nil {
			return nil, err
		}
		return response, nil
	}
}

// again is a body that was read, to be read again.
type again struct {
	body []byte
	at   int
}

func (a *again) Read(into []byte) (int, error) {
	if a.at == len(a.body) {
		return 0, io.EOF
	}
	n := copy(into, a.body[a.at:])
	a.at += n
	return n, nil
}

func (*again) Close() error { return nil }

var _ rows.Wrap = (*calls)(nil).wrap
