//go:build !linux

package postgres

import "syscall"

func processOf(who *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: who}
}
