package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/mod/semver"
)

// isVersion says whether it is a semantic version without build metadata, which the tag of an image cannot have.
func isVersion(version string) bool {
	_, err := name.NewTag(unpublished + "/manager:" + version)
	return err == nil && semver.Canonical(version) == version
}

// dirty ends the version of a release that is not made of a commit alone.
const dirty = "-dirty"

// describe finds out what is to be released.
func describe(ctx context.Context, options Options) (*Release, error) {
	release := &Release{Registry: strings.TrimSuffix(options.Registry, "/"), Version: options.Version}
	if release.Registry == "" {
		release.Registry = unpublished
	}
	if _, err := name.NewRepository(release.Registry + "/manager"); err != nil || strings.Contains(release.Registry, "://") {
		return nil, fmt.Errorf("REGISTRY=%s is no registry with a path, as REGISTRY=registry.example.com/testrun is", options.Registry)
	}
	log, err := git(ctx, options.Root, "log", "-1", "--format=%H %ct")
	if err != nil {
		return nil, fmt.Errorf("a release is made of a commit: %w", err)
	}
	commit, seconds, _ := strings.Cut(log, " ")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("the time of commit %s: %w", commit, err)
	}
	release.Commit, release.Time = commit, time.Unix(unix, 0).UTC()
	changed, err := git(ctx, options.Root, "status", "--porcelain")
	if err != nil {
		return nil, err
	}
	if release.Version == "" {
		if release.Version, err = versionOf(ctx, options.Root, release, changed != ""); err != nil {
			return nil, err
		}
	}
	if !isVersion(release.Version) {
		return nil, fmt.Errorf("VERSION=%s is no version of a release, as v1.2.3 and v1.2.3-rc.1 are", release.Version)
	}
	if changed != "" && !strings.HasSuffix(release.Version, dirty) {
		return nil, fmt.Errorf("%s would hold what is not committed: commit it, or name the version %s%s\n%s",
			release.Version, release.Version, dirty, changed)
	}
	release.downloadURL = strings.TrimSuffix(options.DownloadURL, "/")
	if release.downloadURL == "" {
		release.downloadURL = homepage + "/releases/download/" + release.Version
	}
	release.Go, err = command(ctx, options.Root, nil, "go", "env", "GOVERSION")
	return release, err
}

// versionOf is the tag of the commit, or a version as Go gives to a commit that has none.
func versionOf(ctx context.Context, root string, release *Release, changed bool) (string, error) {
	tags, err := git(ctx, root, "tag", "--points-at", "HEAD", "--sort=-version:refname", "v*")
	if err != nil {
		return "", err
	}
	version := "v0.0.0-" + release.Time.Format("20060102150405") + "-" + release.Commit[:12]
	for tag := range strings.Lines(tags) {
		if tag = strings.TrimSpace(tag); isVersion(tag) {
			version = tag
			break
		}
	}
	if changed {
		version += dirty
	}
	return version, nil
}

func git(ctx context.Context, root string, args ...string) (string, error) {
	return command(ctx, root, nil, "git", args...)
}

// command runs a program and returns what it prints. An error quotes what it says.
func command(ctx context.Context, dir string, env []string, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	if env != nil {
		cmd.Env = append(cmd.Environ(), env...)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return "", err
		}
		return "", fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}
