export { type DatabaseComponent, databaseComponent } from './component.ts';
export { type Database, databaseConfig, openDatabase, openEmbedded, openPostgres } from './database.ts';
export { fromDatabaseError, mapped } from './errors.ts';
export { migrate } from './migrate.ts';
