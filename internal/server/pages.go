package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/testrun-dev/testrun/internal/page"
	"github.com/testrun-dev/testrun/internal/web"
)

// sessionKeyFile is the key that seals sessions, in the data folder.
const sessionKeyFile = "session.key"

// pages answers with the API and with the pages beside it.
func (s *Server) pages(api http.Handler) (http.Handler, error) {
	key, err := sessionKey(s.options.SessionKeyFile, s.options.DataDir)
	if err != nil {
		return nil, err
	}
	provider, err := s.options.Login.provider()
	if err != nil {
		return nil, err
	}
	pages, err := page.New(page.Options{
		URL: s.options.Login.url(), OIDC: provider,
		API: api, Config: s.options.Config, Audit: s.store.Audit, Key: key, SessionTime: s.options.SessionTime, Ended: s.store, Log: s.options.Log,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(web.Root+"/", api)
	mux.Handle("/", pages)
	return mux, nil
}

// sessionKey reads the key that seals sessions. Without a file of that name it is the server's own, which is made once.
func sessionKey(file, dataDir string) ([]byte, error) {
	if file == "" {
		own := filepath.Join(dataDir, sessionKeyFile)
		if _, err := os.Stat(own); errors.Is(err, fs.ErrNotExist) {
			if err := writeOnce(own, page.NewKey()); err != nil {
				return nil, fmt.Errorf("the key of sessions: %w", err)
			}
		}
		file = own
	}
	key, err := os.ReadFile(file)
	if err == nil && len(key) != page.KeySize {
		err = fmt.Errorf("%s has %d bytes: the key of sessions has %d", file, len(key), page.KeySize)
	}
	return key, err
}
