package Shop::Controller::Root;

# One button, one INSERT, one list.
use Moose;
use namespace::autoclean;
use HTML::Entities ();

BEGIN { extends 'Catalyst::Controller' }

__PACKAGE__->config(namespace => '');

sub html { return HTML::Entities::encode_entities($_[0] // '', '<>&"\'') }

sub index : Path Args(0) {
    my ($self, $c) = @_;
    my $rows = '';
    for my $job ($c->model('Jobs')->jobs->search({}, { order_by => { -desc => 'id' }, rows => 20 })) {
        my ($verdict, $message, @steps) = $job->details;
        my $list = join '', map { sprintf '<li>%s %s</li>', $_->{ok} ? 'ok' : 'not ok', html($_->{name}) } @steps;
        $rows .= sprintf qq(<tr id="job-%d" class="%s"><td>%d<td>%s<td>%s<td title="%s"><ul>%s</ul></tr>\n),
            $job->id, html($job->status), $job->id, html($job->status), html($verdict), html($message), $list;
    }
    $c->response->content_type('text/html; charset=utf-8');
    $c->response->body(<<"HTML");
<!doctype html><html lang="en"><title>Shop</title>
<meta http-equiv="refresh" content="2">
<h1>Tests of the shop</h1>
<form method="post" action="/run"><button id="run">Run</button></form>
<table><thead><tr><th>Job<th>Status<th>Verdict<th>Steps</thead><tbody>
$rows</tbody></table></html>
HTML
}

sub run : Local Args(0) {
    my ($self, $c) = @_;
    if ($c->request->method eq 'POST') {
        # In a transaction with whatever else the application has to write.
        $c->model('Jobs')->schema->txn_do(sub { $c->model('Jobs')->jobs->create({ test_id => 42 }) });
    }
    $c->response->redirect('/');
}

__PACKAGE__->meta->make_immutable;
1;
