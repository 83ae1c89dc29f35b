package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// crowd is a listener that never has more than so many connections. If it is full, whoever comes takes the place of the connection that has
// waited for the longest time: one that is silent, or slow to say what it wants, or whose requests have all been answered. So those who only
// hold connections shut nobody out. A connection whose request is being answered keeps its place; if there are only such, whoever comes is
// refused at once.
type crowd struct {
	net.Listener
	max int

	mutex  sync.Mutex
	guests map[*guest]bool
}

func newCrowd(inner net.Listener, limit int) *crowd {
	return &crowd{Listener: inner, max: limit, guests: map[*guest]bool{}}
}

// guest is a connection.
type guest struct {
	net.Conn
	crowd *crowd
	// waits is since when no request of it is answered; zero while one is.
	waits time.Time
}

// Accept returns the next connection that there is room for.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g := &guest{Conn: conn, crowd: c, waits: time.Now()}
		leaves, ok := c.admit(g)
		if leaves != nil {
			_ = leaves.Conn.Close()
		}
		if ok {
			return g, nil
		}
		_ = conn.Close()
	}
}

// admit counts a connection in, if there is room; leaves is the one that has to go for it.
func (c *crowd) admit(g *guest) (leaves *guest, ok bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(c.guests) >= c.max {
		for other := range c.guests {
			if !other.waits.IsZero() && (leaves == nil || other.waits.Before(leaves.waits)) {
				leaves = other
			}
		}
		if leaves == nil {
			return nil, false
		}
		delete(c.guests, leaves)
	}
	c.guests[g] = true
	return leaves, true
}

// Close makes room.
func (g *guest) Close() error {
	g.crowd.mutex.Lock()
	delete(g.crowd.guests, g)
	g.crowd.mutex.Unlock()
	return g.Conn.Close()
}

func (g *guest) setWaits(since time.Time) {
	g.crowd.mutex.Lock()
	defer g.crowd.mutex.Unlock()
	g.waits = since
}

type guestKey struct{}

// withGuest lets answered find the connection of a request.
func withGuest(ctx context.Context, conn net.Conn) context.Context {
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn()
	}
	return context.WithValue(ctx, guestKey{}, conn)
}

// answered keeps the place of a connection while a request of it is answered.
func answered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g, ok := r.Context().Value(guestKey{}).(*guest); ok {
			g.setWaits(time.Time{})
			defer func() { g.setWaits(time.Now()) }()
		}
		next.ServeHTTP(w, r)
	})
}
