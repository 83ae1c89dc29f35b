describe('setup fails', () => {
  before('database', () => { throw new Error('no database'); });
  it('one', () => {});
  it('two', () => {});
});
describe('setup of each fails', () => {
  let n = 0;
  beforeEach(() => { if (++n === 2) throw new Error('no drawer'); });
  it('one', () => {});
  it('two', () => {});
  it('three', () => {});
});
describe('teardown of each fails', () => {
  afterEach(() => { throw new Error('drawer stuck'); });
  it('one', () => {});
  it('two', () => {});
});
describe('teardown fails', () => {
  after(() => { throw new Error('database stuck'); });
  it('one', () => {});
});
