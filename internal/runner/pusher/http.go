//go:build linux

package pusher

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// server makes requests of HTTP/1.1 (RFC 9112), one at a time, over a connection that it keeps. It does what the runner needs and no more:
// net/http would add 2.5 MiB to the program and 2 MiB to its memory.
type server struct {
	// address is HOST:PORT, and host as the URL has it.
	address, host string
	config        *tls.Config
	// connected is called when a connection has been made.
	connected func()
	// moved shows that there is progress: it counts the bytes of a message that were sent, but not those that are sent again, and the messages
	// that need not be sent again. furthest is how much of the latest message was sent.
	moved    atomic.Int64
	furthest int

	conn net.Conn
	in   *bufio.Reader
}

// message is what a request brings.
type message struct {
	// target is the path and the query.
	target      string
	contentType string
	content     func() io.Reader
	size        int
}

// answer is what the server answers.
type answer struct {
	code int
	body []byte
}

// put makes a request. If the server has closed the connection meanwhile, it makes another one.
func (s *server) put(ctx context.Context, m message, token string) (*answer, error) {
	kept := s.conn != nil
	if !kept {
		if err := s.connect(ctx); err != nil {
			return nil, err
		}
	}
	got, err := s.exchange(ctx, m, token)
	if err == nil {
		return got, nil
	}
	s.close()
	if kept && ctx.Err() == nil && !errors.Is(err, errAnswer) && !isTimeout(err) {
		return s.put(ctx, m, token)
	}
	return nil, cmp.Or(ctx.Err(), err)
}

func isTimeout(err error) bool {
	var failed net.Error
	return errors.As(err, &failed) && failed.Timeout()
}

func (s *server) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return err
	}
	secure := tls.Client(conn, s.config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return err
	}
	s.conn, s.in = secure, bufio.NewReaderSize(secure, maxAnswer)
	if s.connected != nil {
		s.connected()
	}
	return nil
}

func (s *server) close() {
	if s.conn != nil {
		s.conn.Close()
		s.conn, s.in = nil, nil
	}
}

// exchange sends a request and reads the answer. It leaves the connection as it is after an error.
func (s *server) exchange(ctx context.Context, m message, token string) (*answer, error) {
	conn := s.conn
	if err := conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if failed := s.send(m, token); failed != nil {
		// A server may refuse a request before it has read it all.
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		if got, err := s.receive(); err == nil {
			s.close()
			return got, nil
		}
		return nil, failed
	}
	if err := conn.SetReadDeadline(time.Now().Add(answerTimeout)); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err() // it may have ended before the deadline was set anew
	}
	return s.receive()
}

func (s *server) send(m message, token string) error {
	head := fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: testrun-runner\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		m.target, s.host, token, m.contentType, m.size)
	if _, err := io.WriteString(s.conn, head); err != nil {
		return err
	}
	n, err := io.CopyBuffer(&counted{server: s}, m.content(), make([]byte, blockSize))
	if err == nil && n != int64(m.size) {
		err = io.ErrShortWrite
	}
	return err
}

// counted is the connection as a writer that counts.
type counted struct {
	server *server
	at     int
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.server.conn.Write(b)
	if c.at += n; c.at > c.server.furthest {
		c.server.moved.Add(int64(c.at - c.server.furthest))
		c.server.furthest = c.at
	}
	return n, err
}

// settled says that the latest message need not be sent again.
func (s *server) settled() {
	s.moved.Add(1)
	s.furthest = 0
}

// errAnswer is the error for an answer that is not understood.
var errAnswer = errors.New("the server does not speak HTTP/1.1")

// receive reads an answer. It closes the connection if that cannot be used again.
func (s *server) receive() (*answer, error) {
	for {
		got, keep, length, err := s.receiveHead()
		switch {
		case err != nil:
			return nil, err
		case got.code < 200: // not the answer yet
			continue
		case got.code == noContent || got.code == 304:
			length = 0
		}
		if keep = keep && length >= 0 && length <= maxAnswer; length < 0 || length > maxAnswer {
			length = maxAnswer
		}
		got.body, err = io.ReadAll(io.LimitReader(s.in, length))
		if keep = keep && err == nil && int64(len(got.body)) == length; !keep {
			s.close()
		}
		return got, nil
	}
}

// receiveHead reads the status and the headers of an answer. length is that of the body; negative if it is not told.
func (s *server) receiveHead() (got *answer, keep bool, length int64, err error) {
	status, err := s.line()
	if err != nil {
		return nil, false, 0, err
	}
	version, rest, _ := strings.Cut(status, " ")
	number, _, _ := strings.Cut(rest, " ")
	code, err := strconv.Atoi(number)
	if err != nil || !strings.HasPrefix(version, "HTTP/1.") || code < 100 || code > 599 {
		return nil, false, 0, errAnswer
	}
	keep, length = version == "HTTP/1.1", -1
	for range maxHeaders {
		line, err := s.line()
		if err != nil || line == "" {
			return &answer{code: code}, keep, length, err
		}
		name, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); strings.ToLower(name) {
		case "content-length":
			if length, err = strconv.ParseInt(value, 10, 64); err != nil || length < 0 {
				return nil, false, 0, errAnswer
			}
		case "connection":
			keep = keep && !strings.EqualFold(value, "close")
		case "transfer-encoding":
			keep = false // then the reason is read with its chunks' lengths, which is good enough
		}
	}
	return nil, false, 0, errAnswer
}

// maxHeaders is how many headers an answer may have.
const maxHeaders = 64

func (s *server) line() (string, error) {
	line, err := s.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", errAnswer
	}
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}
