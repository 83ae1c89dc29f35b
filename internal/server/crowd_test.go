package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// slow are ways to hold a connection.
var slow = map[string]func(net.Conn) error{
	"silent": func(net.Conn) error { return nil },
	"in the middle of its header": func(conn net.Conn) error {
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		return err
	},
	"answered and idle": func(conn net.Conn) error {
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if err == nil {
			_, err = conn.Read(make([]byte, 1000))
		}
		return err
	},
}

// crowded is a listener that answers "hello", and on /wait only when it is told to.
func crowded(t *testing.T, inTLS bool) (address string, reached, on chan struct{}) {
	t.Helper()
	reached, on = make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			reached <- struct{}{}
			<-on
		}
		_, _ = io.WriteString(w, "hello")
	})
	var with *keys
	if inTLS {
		var err error
		if with, err = newKeys("", "", "", t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	l, err := listen(t.Context(), "a test", "127.0.0.1:0", handler, with, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = l.serve() }()
	t.Cleanup(func() { _ = l.server.Close() })
	return l.tcp.Addr().String(), reached, on
}

func dial(t *testing.T, address string, inTLS bool) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err == nil && inTLS {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the test
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ask asks for a path. It does not wait until slow connections end by themselves, which takes two minutes.
func ask(t *testing.T, address, path string, inTLS bool) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	scheme := map[bool]string{true: "https", false: "http"}[inTLS]
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s://%s%s", scheme, address, path), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}} //nolint:gosec // the test
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

func TestSlowConnectionsShutNobodyOut(t *testing.T) {
	for name, hold := range slow {
		for _, inTLS := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", name, inTLS), func(t *testing.T) {
				address, reached, on := crowded(t, inTLS)
				first := make(chan string)
				go func() {
					text, err := ask(t, address, "/wait", inTLS)
					first <- fmt.Sprint(text, err)
				}()
				<-reached
				for range maxConnections + 100 {
					conn := dial(t, address, false)
					if inTLS && !strings.Contains(name, "silent") {
						conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the test
					}
					if err := hold(conn); err != nil {
						t.Fatal(err)
					}
				}
				if text, err := ask(t, address, "/", inTLS); err != nil || text != "hello" {
					t.Errorf("somebody else is answered %q, %v", text, err)
				}
				close(on)
				if got := <-first; got != "hello<nil>" {
					t.Errorf("the request that was being answered meanwhile got %s", got)
				}
			})
		}
	}
}

func TestWhoComesWhenAllAreBeingAnsweredIsRefused(t *testing.T) {
	inner, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := newCrowd(inner, 2)
	reached, on := make(chan struct{}), make(chan struct{})
	server := &http.Server{ConnContext: withGuest, ReadHeaderTimeout: time.Minute, Handler: answered(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached <- struct{}{}
		<-on
		_, _ = io.WriteString(w, "hello")
	}))}
	go func() { _ = server.Serve(c) }()
	t.Cleanup(func() { _ = server.Close() })
	address, answers := inner.Addr().String(), make(chan string)
	for range 2 {
		go func() {
			text, err := ask(t, address, "/", false)
			answers <- fmt.Sprint(text, err)
		}()
		<-reached
	}
	if text, err := ask(t, address, "/", false); err == nil {
		t.Errorf("the third is answered %q", text)
	}
	close(on)
	for range 2 {
		if got := <-answers; got != "hello<nil>" {
			t.Errorf("one of the two is answered %s", got)
		}
	}
}
