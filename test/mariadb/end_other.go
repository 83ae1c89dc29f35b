//go:build !linux

package mariadb

import "syscall"

func processOf(who *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: who}
}
