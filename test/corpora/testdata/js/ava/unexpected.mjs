import test from 'ava';

test.failing('passes although it should fail', (t) => t.pass());
