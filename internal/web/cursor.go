package web

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/testrun-dev/testrun/internal/archive"
)

// Page is what a list answers besides its items.
type Page struct {
	// Next is set if there is more.
	Next string `json:"next,omitempty" doc:"Set if there is more: give it as \"after\" to get what follows."`
}

// cursor is the text of the place after which a list goes on. Nobody is to look into it.
func cursor(place any) string {
	text, _ := json.Marshal(place)
	return base64.RawURLEncoding.EncodeToString(text)
}

// afterCursor reads what cursor wrote.
func afterCursor(text string, place any) error {
	if text == "" {
		return nil
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(plain, place)
	}
	if err != nil {
		return huma.Error400BadRequest("\"after\" is not what this list gave as \"next\". Leave it out to begin anew.")
	}
	return nil
}

// runPlace is the place of a run in a list.
type runPlace struct {
	Microseconds int64  `json:"t"`
	UID          string `json:"u"`
}

func runCursor(key archive.Key) string { return cursor(runPlace{key.Created.UnixMicro(), key.UID}) }

func afterRun(text string) (archive.Key, error) {
	var place runPlace
	if err := afterCursor(text, &place); err != nil || text == "" {
		return archive.Key{}, err
	}
	if !isText(place.UID) {
		return archive.Key{}, afterCursor("!", nil)
	}
	return archive.Key{Created: time.UnixMicro(place.Microseconds).UTC(), UID: place.UID}, nil
}
