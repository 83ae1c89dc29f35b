import test from 'ava';


