package app

import (
	"context"

	"doorward/auth/user"
)

// Await makes a user wait for approval, as those do who come from some providers.
func (a *App) Await(ctx context.Context, name string) error {
	d := a.live.Load().signIn.directory
	_, err := d.Update(ctx, d.ByName(name).View().User.ID, func(u *user.User) error {
		u.State = user.Pending
		return nil
	})
	return err
}

// Link gives a user an account at a provider.
func (a *App) Link(ctx context.Context, name string, i user.Identity) error {
	d := a.live.Load().signIn.directory
	_, err := d.Update(ctx, d.ByName(name).View().User.ID, func(u *user.User) error {
		u.Identities = append(u.Identities, i)
		return nil
	})
	return err
}
